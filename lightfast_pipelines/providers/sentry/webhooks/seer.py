"""`seer`: what Sentry's agent found out about an issue, and the pull requests that it opened.

The body names the run and the issue by number and carries no time: the time of sending dates it, else the
time of receipt.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import Filtered, Parked, Reading, Thing, Understood
from lightfast_pipelines.providers.fields import (
    Missing,
    child,
    children,
    content_of,
    first_line,
    name_of,
    text,
    titled,
    url,
)
from lightfast_pipelines.providers.sentry import keys as sentry_keys
from lightfast_pipelines.providers.sentry.accounts import actor
from lightfast_pipelines.providers.sentry.place import place_of
from lightfast_pipelines.providers.sentry.webhooks import values
from lightfast_pipelines.providers.sentry.webhooks.claimed_event import known_at
from lightfast_pipelines.providers.sentry.webhooks.statement_builder import SentryStatementBuilder
from lightfast_pipelines.providers.sentry.webhooks.things import issue_by_number, pull_request_of
from lightfast_pipelines.providers.webhook_contract import EventRule

# action -> (tag, weight)
_RESULTS = {
    "root_cause_completed": ("Seer Root Cause", 45),
    "solution_completed": ("Seer Solution", 35),
    "coding_completed": ("Seer Changes", 30),
    "pr_created": ("Seer Pull Request", 45),
}
_BEGINNINGS = (
    "root_cause_started",
    "solution_started",
    "coding_started",
    "iteration_started",
)
_NOTHING_YET = "a step that began has found nothing yet"
_BY_PULL_REQUEST = "the pull request's own events report its new commits"


def _hyphened(action: str) -> str:
    return action.replace("_", "-")


RULES = (
    *(
        EventRule(
            "seer", action, "delivered", (f"seer.{_hyphened(action)}",), "goes where its issue goes"
        )
        for action in _RESULTS
    ),
    *(EventRule("seer", action, "filtered", (), _NOTHING_YET) for action in _BEGINNINGS),
    EventRule("seer", "iteration_completed", "filtered", (), _BY_PULL_REQUEST),
)
_MOST_STEPS = 20


def read(payload: Mapping[str, Any]) -> Reading:
    """Raises Missing without a run, an issue or a time."""
    action = text(payload, "action")
    if action in _BEGINNINGS:
        return Filtered(_NOTHING_YET)
    if action == "iteration_completed":
        return Filtered(_BY_PULL_REQUEST)
    if action is None or action not in _RESULTS:
        return Parked(f"action {str(action)[:100]} of seer is not known yet")
    tag, weight = _RESULTS[action]
    data = child(payload, "data")
    run, number = values.identity(data, "run_id"), values.identity(data, "group_id")
    if run is None or number is None:
        raise Missing("run_id" if run is None else "group_id")
    at = known_at(payload)
    if at is None:
        raise Missing("Sentry-Hook-Timestamp")
    subject, issue = Thing(sentry_keys.seer_run(run), f"Seer run {run}"), issue_by_number(number)
    pull_requests, findings = pull_requests_of(data), list(_findings(data))
    place = place_of(payload)
    builder = SentryStatementBuilder(place, subject)
    builder.refer("issue", number)
    builder.relate("belongs_to", issue)
    builder.add_fixes(pull_requests, issue)
    for path in _paths(data):
        builder.mention_file(path, 0.7)
    for branch in _branches(data):
        builder.refer("branch", branch)
    statement = builder.build(
        source_id=keys.source_id(subject.key, action, _discriminator(pull_requests)),
        source_type=f"seer.{_hyphened(action)}",
        occurred_at=at,
        title=titled(tag, _headline(pull_requests, findings, number)),
        content=content_of(*findings, f"On issue: {number}"),
        base_significance=weight,
        actor=actor(payload),
        metadata={
            "runId": run,
            "issueId": number,
            "action": action,
            **place.facts,
        },
        updated_at=at,
    )
    return Understood((statement,))


def pull_requests_of(data: Mapping[str, Any]) -> list[Thing]:
    """The pull requests that a run made, as the webhook, an alert or an activity names them."""
    pull_requests: dict[Thing, None] = {}
    for entry in children(data, "pull_requests"):
        nested = child(entry, "pull_request")
        address = url(nested, "pr_url") or url(entry, "url") or url(entry, "pr_url")
        pull_request = pull_request_of({"pullRequest": {"externalUrl": address}})
        if pull_request is not None:
            pull_requests[pull_request] = None
    return list(pull_requests)


def _discriminator(pull_requests: list[Thing]) -> str | None:
    """A run can make pull requests more than once."""
    if not pull_requests:
        return None
    names = ",".join(sorted(pull_request.key for pull_request in pull_requests))
    return hashlib.sha256(names.encode("utf-8", "replace")).hexdigest()[:16]


def _headline(pull_requests: list[Thing], findings: list[str], number: str) -> str:
    if pull_requests:
        names = (pull_request.name or pull_request.key for pull_request in pull_requests[:3])
        return f"{', '.join(names)} for issue {number}"
    return first_line(findings[0]) if findings else f"issue {number}"


def _findings(data: Mapping[str, Any]) -> Iterator[str]:
    """What the agent found, in its own words; no diffs."""
    for name in ("root_cause", "solution"):
        result = child(data, name)
        description = text(result, "description") or text(result, "one_line_description")
        if description := description or text(result, "one_line_summary"):
            yield description
        for step in children(result, "steps")[:_MOST_STEPS]:
            if title := text(step, "title"):
                yield f"- {title}"
    for change in children(data, "changes")[:_MOST_STEPS]:
        repository, title = name_of(change, "repo_name"), text(change, "title")
        if title is not None:
            yield f"{repository}: {title}" if repository else title
        if description := text(change, "description"):
            yield description


def _paths(data: Mapping[str, Any]) -> list[str]:
    """Files that the root cause names."""
    steps = children(child(data, "root_cause"), "steps")[:_MOST_STEPS]
    names = [name_of(child(step, "relevant_code_file"), "file_path") for step in steps]
    paths = [path for name in names if (path := values.source_path(name)) is not None]
    return list(dict.fromkeys(paths))


def _branches(data: Mapping[str, Any]) -> list[str]:
    names = [name_of(change, "branch_name") for change in children(data, "changes")]
    return list(dict.fromkeys(name for name in names if name))
