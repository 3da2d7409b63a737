"""`comment`: created, updated, deleted, on an issue of which the payload gives only the number.

A comment carries one time, that of its creation; its text distinguishes one change from the next.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import Parked, Reading, Thing, Understood, deletion
from lightfast_pipelines.providers.fields import (
    Missing,
    child,
    content_of,
    first_line,
    text,
    time,
    titled,
)
from lightfast_pipelines.providers.sentry import keys as sentry_keys
from lightfast_pipelines.providers.sentry.accounts import actor
from lightfast_pipelines.providers.sentry.place import place_of
from lightfast_pipelines.providers.sentry.webhooks import values
from lightfast_pipelines.providers.sentry.webhooks.claimed_event import sent_at
from lightfast_pipelines.providers.sentry.webhooks.statement_builder import SentryStatementBuilder
from lightfast_pipelines.providers.sentry.webhooks.things import issue_by_number
from lightfast_pipelines.providers.webhook_contract import EventRule

_ACTIONS = {
    "created": ("Comment Added", 25),
    "updated": ("Comment Updated", 20),
    "deleted": ("Comment Deleted", 20),
}
RULES = tuple(
    EventRule("comment", action, "delivered", (f"comment.{action}",), "goes where its issue goes")
    for action in _ACTIONS
)


def read(payload: Mapping[str, Any]) -> Reading:
    """Raises Missing without an id, an issue or a time."""
    action = text(payload, "action")
    if action is None or action not in _ACTIONS:
        return Parked(f"action {str(action)[:100]} of comment is not known yet")
    tag, weight = _ACTIONS[action]
    data = child(payload, "data")
    comment_id, issue_id = values.identity(data, "comment_id"), values.identity(data, "issue_id")
    if comment_id is None or issue_id is None:
        raise Missing("comment_id" if comment_id is None else "issue_id")
    created = time(data, "timestamp") or sent_at(payload)
    if created is None:
        raise Missing("timestamp")
    at = created if action == "created" else max(created, sent_at(payload) or created)
    body = text(data, "comment") or ""
    subject = Thing(sentry_keys.comment(comment_id), first_line(body)[:200] or None)
    issue = issue_by_number(issue_id)
    place = place_of(payload)
    slug = place.project_slug
    body_hash = hashlib.sha256(body.encode("utf-8", "replace")).hexdigest()[:16]
    builder = SentryStatementBuilder(place, subject)
    builder.refer("issue", issue_id)
    builder.relate("belongs_to", issue)
    statement = builder.build(
        source_id=keys.source_id(subject.key, action, body_hash if action == "updated" else None),
        source_type=f"comment.{action}",
        occurred_at=at,
        title=titled(tag, f"{slug or 'issue'} {issue_id}: {first_line(body)[:60]}"),
        content=content_of(body, f"On issue: {issue_id}" + (f" of {slug}" if slug else "")),
        base_significance=weight,
        actor=actor(payload),
        author=actor(payload) if action == "created" else None,
        states=(deletion(subject, at),) if action == "deleted" else (),
        metadata={
            "commentId": comment_id,
            "issueId": issue_id,
            "action": action,
            **place.facts,
        },
        updated_at=at,
    )
    return Understood((statement,))
