"""`merge_group`: a merge queue tests a pull request, and then merges it or not.

The subject is the pull request that the group was made for; its number is in the branch's name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import Parked, Reading, StateChange, Understood
from lightfast_pipelines.providers.fields import (
    Missing,
    child,
    content_of,
    first_line,
    latest,
    name_of,
    needed_child,
    text,
    time,
    titled,
)
from lightfast_pipelines.providers.github.accounts import account
from lightfast_pipelines.providers.github.webhooks.pushed import QUEUE_BRANCHES
from lightfast_pipelines.providers.github.webhooks.repository import repository_of
from lightfast_pipelines.providers.github.webhooks.statement_builder import GitHubStatementBuilder
from lightfast_pipelines.providers.webhook_contract import EventRule

_HEAD = re.compile(
    rf"(?:refs/heads/)?{re.escape(QUEUE_BRANCHES)}(?P<base>.+)/pr-(?P<number>[1-9]\d{{0,8}})-"
)


@dataclass(frozen=True, slots=True)
class _Outcome:
    tag: str
    state: str | None
    rank: int
    weight: int


_REQUESTED = _Outcome("Merge Queue Checks Requested", "queued", 1, 8)
# How a group ends. An invalidated group is made again, while its pull request stays in the queue.
_ENDS = {
    "merged": _Outcome("Merged by the Queue", "merged", 3, 20),
    "dequeued": _Outcome("Taken from the Merge Queue", "dequeued", 3, 30),
    "invalidated": _Outcome("Merge Queue Group Invalidated", None, 0, 8),
}
RULES = (
    EventRule("merge_group", "checks_requested", "delivered", ("merge-group.checks-requested",)),
    EventRule(
        "merge_group",
        "destroyed",
        "delivered",
        tuple(f"merge-group.{reason}" for reason in _ENDS),
        "named after the reason",
    ),
)


def read(payload: Mapping[str, Any]) -> Reading:
    """Raises Missing if the payload has no group, repository or time."""
    action, reason = text(payload, "action") or "", text(payload, "reason") or ""
    if action == "checks_requested":
        name, outcome = "checks-requested", _REQUESTED
    elif action == "destroyed" and reason in _ENDS:
        name, outcome = reason, _ENDS[reason]
    else:
        shown = f"{action} {reason}".strip()[:100]
        return Parked(f"action {shown} of merge_group is not known yet")
    repository, group = repository_of(payload), needed_child(payload, "merge_group")
    head = _HEAD.match(name_of(group, "head_ref") or "")
    if head is None:
        return Parked("the branch of merge_group names no pull request")
    number, base = int(head["number"]), head["base"]
    commit, place = child(group, "head_commit"), child(payload, "repository")
    # The end of a group has no time, but a merge updates the time of the repository's last push.
    at = time(commit, "timestamp")
    if action == "destroyed":
        at = latest(at, time(place, "pushed_at"))
    if at is None:
        raise Missing("merge_group.head_commit.timestamp")
    key = keys.github_pull_request(repository.id, number)
    address = repository.page("pull", str(number))
    subject = repository.numbered_thing(key, number, "", address)
    branch, sha = repository.branch(base), name_of(group, "head_sha")
    actor = account(payload.get("sender"))
    states: tuple[StateChange, ...] = ()
    if outcome.state is not None:
        states = (StateChange(subject, "merge_queue", outcome.state, at, outcome.rank, name),)
    builder = GitHubStatementBuilder(repository, subject)
    builder.refer("pr", f"#{number}", subject.url)
    builder.refer("branch", base, branch.url)
    builder.mention(branch)
    statement = builder.build(
        # A group is identified by the commit that it tests.
        source_id=keys.source_id(key, f"merge-group.{name}", sha),
        source_type=f"merge-group.{name}",
        occurred_at=at,
        title=titled(outcome.tag, f"#{number} into {base}"),
        content=content_of(first_line(text(commit, "message") or "")),
        base_significance=outcome.weight,
        actor=actor,
        author=actor,
        states=states,
        metadata={
            "prNumber": number,
            "action": name,
            "baseRef": base,
            "headSha": sha,
            "baseSha": name_of(group, "base_sha"),
        },
        updated_at=at,
        link_text="",
        branch=base,
    )
    return Understood((statement,))
