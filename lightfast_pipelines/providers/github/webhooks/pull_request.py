"""`pull_request`: opened, merged, closed, reopened, ready for review, converted to draft.

Each action states only its own transition, dated by that transition's own time. `changes` reads smaller
changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import (
    Filtered,
    Reading,
    StateChange,
    Statement,
    Thing,
    Understood,
)
from lightfast_pipelines.providers.fields import (
    LONGEST_LINK_TEXT,
    Missing,
    child,
    children,
    content_of,
    first_time,
    flag,
    moment_key,
    name_of,
    needed_child,
    text,
    time,
    titled,
    whole,
)
from lightfast_pipelines.providers.github.accounts import account
from lightfast_pipelines.providers.github.host import identity
from lightfast_pipelines.providers.github.webhooks import changes, item_kinds
from lightfast_pipelines.providers.github.webhooks.branch_names import reverted_pull_request
from lightfast_pipelines.providers.github.webhooks.outcomes import not_kept, unknown_action
from lightfast_pipelines.providers.github.webhooks.repository import Repository, repository_of
from lightfast_pipelines.providers.github.webhooks.statement_builder import GitHubStatementBuilder
from lightfast_pipelines.providers.github.webhooks.transition import ItemTransition
from lightfast_pipelines.providers.webhook_contract import EventRule

_TRANSITIONS = {
    "opened": ItemTransition("opened", "PR Opened", "created_at", "open", 1, 50),
    "closed": ItemTransition("closed", "PR Closed", "closed_at", "closed", 4, 45),
    "merged": ItemTransition("merged", "PR Merged", "merged_at", "merged", 5, 60),
    "reopened": ItemTransition("reopened", "PR Reopened", "updated_at", "open", 2, 40),
    "ready_for_review": ItemTransition(
        "ready-for-review", "Ready for Review", "updated_at", "open", 3, 45
    ),
    "converted_to_draft": ItemTransition(
        "converted-to-draft", "PR Converted to Draft", "updated_at", "draft", 0, 35
    ),
}
_NOT_KEPT = frozenset({"auto_merge_enabled", "auto_merge_disabled"})
RULES = (
    EventRule(
        "pull_request", "closed", "delivered", ("pull-request.closed", "pull-request.merged")
    ),
    *(
        EventRule("pull_request", action, "delivered", (f"pull-request.{each.name}",))
        for action, each in _TRANSITIONS.items()
        if action not in ("closed", "merged")
    ),
    *changes.rules(item_kinds.PULL_REQUEST),
    *not_kept("pull_request", _NOT_KEPT),
)


def read(payload: Mapping[str, Any]) -> Reading:
    """Raises Missing if the payload has no pull request, repository or time."""
    action = text(payload, "action")
    if action in _NOT_KEPT:
        return Filtered(f"action {action} is not kept")
    if changes.is_change(item_kinds.PULL_REQUEST, action):
        return changes.read(item_kinds.PULL_REQUEST, payload)
    pull = needed_child(payload, "pull_request")
    transition = _TRANSITIONS.get(
        "merged" if action == "closed" and _is_merged(pull) else action or ""
    )
    if transition is None:
        return unknown_action("pull_request", action)
    return Understood((_statement(payload, pull, transition),))


def _is_merged(pull: Mapping[str, Any]) -> bool:
    """The API's list records have no `merged`, old payloads no `merged_at`."""
    return flag(pull, "merged") is True or time(pull, "merged_at") is not None


def _statement(
    payload: Mapping[str, Any], pull: Mapping[str, Any], transition: ItemTransition
) -> Statement:
    repository = repository_of(payload)
    number, subject = item_kinds.PULL_REQUEST.entity(repository, pull)
    at = first_time(pull, transition.time, "updated_at", "created_at")
    if at is None:
        raise Missing(f"pull_request.{transition.time}")
    merged = transition.name == "merged"
    title, body = text(pull, "title") or "", text(pull, "body")
    builder = GitHubStatementBuilder(repository, subject)
    builder.refer("pr", f"#{number}", subject.url)
    builder.add_head(pull)
    _add_reverted(builder, pull, title)
    if merged:
        # An open pull request has the commit of a trial merge there, not of its merge.
        builder.add_commit("merges_as", name_of(pull, "merge_commit_sha"), "merge")
        builder.add_account("merged_by", account(pull.get("merged_by")))
    builder.add_people("reviewer", children(pull, "requested_reviewers"))
    builder.add_assignees(pull)
    label_names = builder.add_labels(pull)
    builder.add_milestone(pull)
    return builder.build(
        source_id=keys.source_id(subject.key, transition.name, moment_key(at)),
        source_type=f"pull-request.{transition.name}",
        occurred_at=at,
        title=titled(transition.tag, title),
        content=content_of(title, body),
        base_significance=transition.weight,
        actor=account(payload.get("sender")),
        author=account(pull.get("user")),
        states=(_state(subject, transition, pull, at),),
        metadata=_metadata(repository, payload, pull, number, label_names),
        updated_at=first_time(pull, "updated_at", "created_at"),
        written_at=time(pull, "created_at") or at,
        link_text=_link_text(title, body),
    )


def _add_reverted(builder: GitHubStatementBuilder, pull: Mapping[str, Any], title: str) -> None:
    """Relates what GitHub's Revert button reverted. The text may have been edited, the branch stays."""
    head = child(pull, "head")
    ref = name_of(head, "ref") or ""
    number = reverted_pull_request(ref, title)
    if number is None or identity(child(head, "repo")) != builder.repository.id:
        return
    other = builder.repository.numbered(number)
    builder.relate("reverts", other, evidence=ref, confidence=0.9, method="branch")


def _state(
    subject: Thing, transition: ItemTransition, pull: Mapping[str, Any], at: datetime
) -> StateChange:
    value, rank = transition.state, transition.rank
    if value == "open" and transition.name != "ready-for-review" and flag(pull, "draft") is True:
        value = "draft"
    if value == "draft" and transition.name == "opened":
        rank = 0
    return StateChange(subject, "status", value, at, rank, reason=transition.name)


def _metadata(
    repository: Repository,
    payload: Mapping[str, Any],
    pull: Mapping[str, Any],
    number: int,
    label_names: list[str],
) -> dict[str, Any]:
    head, base, author = child(pull, "head"), child(pull, "base"), account(pull.get("user"))
    merged_by = account(pull.get("merged_by"))
    return {
        **repository.facts,
        "prNumber": number,
        "action": name_of(payload, "action"),
        "merged": _is_merged(pull),
        "draft": flag(pull, "draft"),
        "additions": whole(pull, "additions"),
        "deletions": whole(pull, "deletions"),
        "changedFiles": whole(pull, "changed_files"),
        "headRef": name_of(head, "ref"),
        "baseRef": name_of(base, "ref"),
        "headSha": name_of(head, "sha"),
        "authorLogin": author and author.username,
        "authorId": author and author.source_id,
        "mergedBy": merged_by and merged_by.username,
        "labels": label_names,
        "requestedTeams": [
            name for team in children(pull, "requested_teams") if (name := name_of(team, "slug"))
        ],
    }


def _link_text(title: str, body: str | None) -> str:
    """The whole text in which closing words count; the stored content is cut much shorter."""
    return f"{title}\n{body or ''}"[:LONGEST_LINK_TEXT]
