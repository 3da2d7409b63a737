"""`activity_alert`: an alert rule fired on an activity of an issue, mostly of Seer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import Parked, Reading, Understood
from lightfast_pipelines.providers.fields import (
    Missing,
    child,
    content_of,
    name_of,
    needed_child,
    text,
    time,
    titled,
)
from lightfast_pipelines.providers.sentry.accounts import actor
from lightfast_pipelines.providers.sentry.place import place_of
from lightfast_pipelines.providers.sentry.webhooks import values
from lightfast_pipelines.providers.sentry.webhooks.claimed_event import known_at, sent_at
from lightfast_pipelines.providers.sentry.webhooks.seer import pull_requests_of
from lightfast_pipelines.providers.sentry.webhooks.statement_builder import SentryStatementBuilder
from lightfast_pipelines.providers.sentry.webhooks.strangers import without_strangers
from lightfast_pipelines.providers.sentry.webhooks.things import issue_alert_thing, issue_in
from lightfast_pipelines.providers.sentry.webhooks.titles import headline_of_issue, title_of_issue
from lightfast_pipelines.providers.webhook_contract import EventRule

RULES = (EventRule("activity_alert", "triggered", "delivered", ("activity-alert.triggered",)),)


def read(payload: Mapping[str, Any]) -> Reading:
    """Raises Missing without an issue, a project or an activity."""
    action = text(payload, "action")
    if action != "triggered":
        return Parked(f"action {str(action)[:100]} of activity_alert is not known yet")
    data = child(payload, "data")
    issue, activity = needed_child(data, "issue"), needed_child(data, "activity")
    alert = child(data, "alert")
    number, kind = values.identity(issue, "id"), name_of(activity, "type")
    if number is None or kind is None:
        raise Missing("issue.id" if number is None else "activity.type")
    at = sent_at(payload) or time(issue, "lastSeen") or known_at(payload)
    if at is None:
        raise Missing("Sentry-Hook-Timestamp")
    place, short_id = place_of(payload), name_of(issue, "shortId")
    about = issue_in(place, issue, number)
    rule = text(alert, "title") or "Alert"
    subject = issue_alert_thing(place, rule)
    details = child(activity, "details")
    builder = SentryStatementBuilder(place, subject)
    builder.refer("issue", short_id or number, about.url)
    builder.relate("references", about)
    builder.add_project(belongs=False)
    builder.add_fixes(pull_requests_of(details), about)
    activity_name = kind.replace("_", " ")
    # A body that is sent again has another time of sending: only its content identifies it.
    content = json.dumps(details, sort_keys=True, default=str).encode("utf-8", "replace")
    discriminator = f"{number}:{kind}:{hashlib.sha256(content).hexdigest()[:12]}"
    statement = builder.build(
        source_id=keys.source_id(subject.key, "triggered", discriminator),
        source_type="activity-alert.triggered",
        occurred_at=at,
        title=titled(
            "Alert Triggered", f"{rule[:100]}: {activity_name}: {headline_of_issue(issue)}"
        ),
        content=content_of(
            f"Rule: {rule}",
            f"Activity: {activity_name}",
            text(details, "summary"),
            title_of_issue(issue),
        ),
        base_significance=50,
        actor=actor(payload),
        metadata={
            "issueId": number,
            "shortId": short_id,
            "activityType": kind,
            "triggeredRule": rule[:500],
            "ruleId": values.identity(alert, "id"),
            **place.facts,
        },
        updated_at=at,
    )
    return Understood((without_strangers(statement, issue),))
