"""`issue`: created, resolved, unresolved, ignored, archived, assigned.

Only `created` has a time of its own in the body (`firstSeen`). The others are decisions of a person or of
Sentry, and the body says only when the issue was last seen: the header's time dates them, else that time.
The activity of an issue in the API has other times than either, so webhook and API date these transitions
differently.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import (
    Edge,
    Occurrence,
    Parked,
    Reading,
    StateChange,
    Statement,
    Thing,
    Understood,
    deletion,
)
from lightfast_pipelines.providers.fields import (
    Missing,
    child,
    content_of,
    first_time,
    moment_key,
    name_of,
    needed_child,
    text,
    time,
    titled,
)
from lightfast_pipelines.providers.sentry.accounts import Assignee, actor, assignee
from lightfast_pipelines.providers.sentry.place import place_of
from lightfast_pipelines.providers.sentry.webhooks import merged, values
from lightfast_pipelines.providers.sentry.webhooks.claimed_event import sent_at
from lightfast_pipelines.providers.sentry.webhooks.statement_builder import SentryStatementBuilder
from lightfast_pipelines.providers.sentry.webhooks.strangers import without_strangers
from lightfast_pipelines.providers.sentry.webhooks.things import issue_in
from lightfast_pipelines.providers.sentry.webhooks.titles import (
    headline_of_issue,
    is_error,
    title_of_issue,
)
from lightfast_pipelines.providers.webhook_contract import EventRule


@dataclass(frozen=True, slots=True)
class _IssueTransition:
    name: str
    tag: str
    status: str | None
    weight: int


_TRANSITIONS = {
    transition.name: transition
    for transition in (
        _IssueTransition("created", "Issue Created", "unresolved", 55),
        _IssueTransition("resolved", "Issue Resolved", "resolved", 50),
        _IssueTransition("unresolved", "Issue Unresolved", "unresolved", 45),
        _IssueTransition("ignored", "Issue Ignored", "ignored", 25),
        _IssueTransition("archived", "Issue Archived", "archived", 25),
        _IssueTransition("assigned", "Issue Assigned", None, 30),
        # Without webhooks: an issue's activity in the API reports them.
        _IssueTransition("prioritized", "Issue Prioritized", None, 20),
        _IssueTransition("linked", "Issue Linked", None, 35),
        # Without a webhook: a sweep writes it when it finds that an issue is gone.
        _IssueTransition("deleted", "Issue Deleted", None, 20),
    )
}
_NOTES = {
    "prioritized": "Sentry does not send it: an issue's activity reports it",
    "linked": "Sentry does not send it: an issue's activity reports a linked commit, pull request or issue",
    "unresolved": "after a regression, the next error has its own observation",
    "deleted": "Sentry does not send it: a sweep that finds the issue gone records it",
}
RULES = (
    *(
        EventRule("issue", name, "delivered", (f"issue.{name}",), _NOTES.get(name, ""))
        for name in _TRANSITIONS
    ),
    *merged.RULES,
)
_LINKS = frozenset({"resolves", "references"})
_CONDITIONS = ("ignoreUntil", "ignoreCount", "ignoreUserCount", "ignoreWindow", "ignoreUserWindow")
_EPOCH = datetime(2008, 1, 1, tzinfo=UTC)
_HIGHEST_RANK = 2**31 - 1


def read(payload: Mapping[str, Any]) -> Reading:
    """Raises Missing without an issue, a project or a time."""
    action = text(payload, "action")
    if action == merged.ACTION:
        return merged.read(payload)
    transition = _TRANSITIONS.get(action or "")
    if transition is None:
        return Parked(f"action {str(action)[:100]} of issue is not known yet")
    return Understood((_statement(payload, transition),))


def _statement(payload: Mapping[str, Any], transition: _IssueTransition) -> Statement:
    issue = needed_child(child(payload, "data"), "issue")
    issue_id = values.identity(issue, "id")
    if issue_id is None:
        raise Missing("issue.id")
    first_seen, last_seen = time(issue, "firstSeen"), time(issue, "lastSeen")
    seen = last_seen or first_seen or first_time(issue, "dateCreated") or sent_at(payload)
    if seen is None:
        raise Missing("issue.lastSeen")
    is_created = transition.name == "created"
    at = (first_seen or seen) if is_created else max(seen, sent_at(payload) or seen)
    place = place_of(payload)
    subject = issue_in(place, issue, issue_id)
    builder = SentryStatementBuilder(place, subject)
    builder.refer("issue", name_of(issue, "shortId") or issue_id, subject.url)
    builder.add_project()
    owner = assignee(place, issue)
    builder.add_assignee(owner)
    if transition.name in ("resolved", "linked"):
        builder.add_resolution(issue)
    if transition.name == "linked":
        builder.add_tracker(child(issue, "externalIssue"))
    first_release = child(issue, "firstRelease")
    version = name_of(issue, "firstRelease") or name_of(first_release, "version")
    if version is not None and values.is_version(version):
        release = builder.add_release(version, "first_seen_in")
        builder.edges.append(Edge(subject, "caused_by", release))
    builder.mention_file(values.source_path(name_of(child(issue, "metadata"), "filename")), 0.7)
    rank = _rank(seen, transition)
    statement = builder.build(
        source_id=keys.source_id(
            subject.key, transition.name, _discriminator(transition, seen, at, owner, builder)
        ),
        source_type=f"issue.{transition.name}",
        occurred_at=at,
        title=titled(transition.tag, headline_of_issue(issue)),
        content=_content(issue, place.project_name or place.project_slug),
        base_significance=transition.weight,
        actor=actor(payload),
        states=tuple(_states(subject, transition, issue, owner, at, rank)),
        metadata={**_metadata(issue, issue_id, transition), **place.facts},
        updated_at=seen,
        occurrence=_restart(subject, transition, issue, seen),
    )
    return without_strangers(statement, issue)


def _discriminator(
    transition: _IssueTransition,
    seen: datetime,
    at: datetime,
    owner: Assignee | None,
    builder: SentryStatementBuilder,
) -> str | None:
    """Tells a second resolution from the first: by when the issue was last seen and when it was sent.

    Neither suffices: the issue may not be seen between two decisions, and several decisions may be sent
    at the same moment.
    """
    if transition.name in ("created", "deleted"):
        return None
    if transition.name == "linked":
        return ",".join(sorted(edge.subject.key for edge in builder.edges if edge.type in _LINKS))
    parts = [moment_key(seen)]
    if at != seen:
        parts.append(moment_key(at))
    if transition.name == "assigned":
        parts.append(owner.key if owner else "nobody")
    return "@".join(parts)


def _rank(seen: datetime, transition: _IssueTransition) -> int:
    """Orders decisions of the same time: by when the issue was last seen, then what reopens it first.

    Twice the seconds since 2008, which fits 32 bits until 2042.
    """
    seconds = int((seen - _EPOCH).total_seconds())
    return min(max(seconds, 0) * 2 + (transition.status != "unresolved"), _HIGHEST_RANK)


def _states(
    subject: Thing,
    transition: _IssueTransition,
    issue: Mapping[str, Any],
    owner: Assignee | None,
    at: datetime,
    rank: int,
) -> list[StateChange]:
    changes: list[StateChange] = []
    reason = name_of(issue, "substatus") or transition.name
    if transition.name == "created":
        reason = "created"
    if transition.status is not None:
        details: dict[str, Any] = {"substatus": name_of(issue, "substatus")}
        if transition.status in ("ignored", "archived"):
            given = child(issue, "statusDetails")
            details |= {name: given[name] for name in _CONDITIONS if given.get(name) is not None}
        changes.append(StateChange(subject, "status", transition.status, at, rank, reason, details))
    priority = name_of(issue, "priority")
    if transition.name == "prioritized" and priority is not None:
        changes.append(StateChange(subject, "priority", priority, at, rank, transition.name))
    if transition.name == "deleted":
        changes.append(deletion(subject, at))
    if transition.name == "assigned" or (transition.name == "created" and owner is not None):
        value = owner.key if owner else "nobody"
        name = {"name": owner.name} if owner else {}
        changes.append(StateChange(subject, "assignee", value, at, rank, transition.name, name))
    return changes


def _restart(
    subject: Thing, transition: _IssueTransition, issue: Mapping[str, Any], seen: datetime
) -> Occurrence | None:
    """A regression, which the last error seen caused; reopening by hand is not one."""
    if transition.name != "unresolved":
        return None
    if (name_of(issue, "substatus") or "regressed") != "regressed":
        return None
    return Occurrence(subject.key, "", restart=True, since=seen)


def _content(issue: Mapping[str, Any], project: str | None) -> str:
    metadata = child(issue, "metadata")
    lines = {
        "Location": text(metadata, "filename") or text(issue, "culprit"),
        "Function": text(metadata, "function"),
        "Level": name_of(issue, "level"),
        "Platform": name_of(issue, "platform"),
        "Project": project,
        "Occurrences": values.count(issue, "count"),
        "Users affected": values.count(issue, "userCount"),
    }
    return content_of(
        title_of_issue(issue),
        text(metadata, "value"),
        *(f"{name}: {value}" for name, value in lines.items() if value is not None),
    )


def _metadata(
    issue: Mapping[str, Any], issue_id: str, transition: _IssueTransition
) -> dict[str, Any]:
    metadata = child(issue, "metadata")
    return {
        "issueId": issue_id,
        "shortId": name_of(issue, "shortId"),
        "level": name_of(issue, "level"),
        "platform": name_of(issue, "platform"),
        "errorType": name_of(metadata, "type"),
        "errorValue": (text(metadata, "value") or "")[:500] or None,
        "filename": name_of(metadata, "filename"),
        "function": name_of(metadata, "function"),
        "culprit": name_of(issue, "culprit"),
        "count": values.count(issue, "count"),
        "userCount": values.count(issue, "userCount"),
        "firstSeen": name_of(issue, "firstSeen"),
        "lastSeen": name_of(issue, "lastSeen"),
        "status": name_of(issue, "status"),
        "substatus": name_of(issue, "substatus"),
        "priority": name_of(issue, "priority"),
        "issueCategory": name_of(issue, "issueCategory"),
        "action": transition.name,
        **({} if is_error(issue) else {"issueType": name_of(issue, "issueType")}),
    }
