"""`event_alert` (an alert rule for issues fired) and `metric_alert` (a metric crossed its threshold).

The level of a metric alert is a state; a rule for issues has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import (
    Parked,
    Reading,
    Reference,
    StateChange,
    Thing,
    Understood,
)
from lightfast_pipelines.providers.fields import (
    Missing,
    child,
    content_of,
    first_time,
    latest,
    moment_key,
    name_of,
    needed_child,
    text,
    time,
    titled,
    url,
)
from lightfast_pipelines.providers.sentry import keys as sentry_keys
from lightfast_pipelines.providers.sentry.accounts import actor
from lightfast_pipelines.providers.sentry.place import place_of, slugs
from lightfast_pipelines.providers.sentry.webhooks import values
from lightfast_pipelines.providers.sentry.webhooks.claimed_event import sent_at
from lightfast_pipelines.providers.sentry.webhooks.event import (
    event_id_of,
    event_time,
    issue_of_event,
    location_of,
    paths,
)
from lightfast_pipelines.providers.sentry.webhooks.statement_builder import SentryStatementBuilder
from lightfast_pipelines.providers.sentry.webhooks.strangers import without_strangers
from lightfast_pipelines.providers.sentry.webhooks.things import issue_alert_thing
from lightfast_pipelines.providers.sentry.webhooks.titles import (
    evidence,
    headline_of_event,
    title_of_event,
    value_of_event,
)
from lightfast_pipelines.providers.webhook_contract import EventRule

# Action -> (tag, order among levels of the same time).
_LEVELS = {
    "open": ("Metric Alert Open", 0),
    "warning": ("Metric Alert Warning", 1),
    "critical": ("Metric Alert Critical", 2),
    "resolved": ("Metric Alert Resolved", 3),
}
RULES = (
    EventRule("event_alert", "triggered", "delivered", ("event-alert.triggered",)),
    *(
        EventRule("metric_alert", action, "delivered", (f"metric-alert.{action}",))
        for action in _LEVELS
    ),
)


def read_event_alert(payload: Mapping[str, Any]) -> Reading:
    """Raises Missing without an issue, a project, an id or a time."""
    action = text(payload, "action")
    if action != "triggered":
        return Parked(f"action {str(action)[:100]} of event_alert is not known yet")
    data = child(payload, "data")
    event = needed_child(data, "event")
    place = place_of(payload)
    issue = issue_of_event(place, event)
    event_id, at = event_id_of(event), event_time(event)
    rule = text(data, "triggered_rule") or text(child(data, "issue_alert"), "title") or "Alert"
    rule_id = values.identity(child(data, "issue_alert"), "id")
    subject = issue_alert_thing(place, rule)
    builder = SentryStatementBuilder(place, subject)
    builder.refer("issue", issue.key.rpartition(":")[2], issue.url)
    builder.relate("references", issue)
    builder.add_project(belongs=False)
    version = values.version(event)
    if version is not None:
        builder.add_release(version)
    for path in paths(event):
        builder.mention_file(path, 0.7)
    metadata = child(event, "metadata")
    location, platform = location_of(event), name_of(event, "platform")
    statement = builder.build(
        source_id=keys.source_id(subject.key, "triggered", event_id),
        source_type="event-alert.triggered",
        occurred_at=at,
        title=titled("Alert Triggered", f"{rule[:100]}: {headline_of_event(event)}"),
        content=content_of(
            f"Rule: {rule}",
            title_of_event(event),
            text(event, "message"),
            value_of_event(event),
            *evidence(event),
            f"Location: {location}" if location else None,
            f"Platform: {platform}" if platform else None,
        ),
        base_significance=65,
        actor=actor(payload),
        metadata={
            "eventId": event_id,
            "issueId": issue.key.rpartition(":")[2],
            "triggeredRule": rule[:500],
            "ruleId": rule_id,
            "platform": platform,
            "errorType": name_of(metadata, "type"),
            "errorValue": (value_of_event(event) or "")[:500] or None,
            "release": version,
            "environment": values.environment(event),
            "webUrl": url(event, "web_url"),
            **place.facts,
            **_occurrence(event),
        },
        updated_at=at,
    )
    return Understood((without_strangers(statement, event),))


def _occurrence(event: Mapping[str, Any]) -> dict[str, Any]:
    """The number of the occurrence's type, if the alert is about something other than an error."""
    kind = values.count(child(event, "occurrence"), "type")
    return {} if kind is None else {"occurrenceType": kind}


def read_metric_alert(payload: Mapping[str, Any]) -> Reading:
    """Raises Missing without an id, an organization or a time.

    The body dates the beginning and the end of the incident, neither precisely, and no crossing between
    them: the header's time dates them all, where it was kept.
    """
    action = text(payload, "action")
    if action is None or action not in _LEVELS:
        return Parked(f"action {str(action)[:100]} of metric_alert is not known yet")
    tag, rank = _LEVELS[action]
    data = child(payload, "data")
    alert = needed_child(data, "metric_alert")
    rule = child(alert, "alert_rule")
    incident, rule_id = values.identity(alert, "id"), values.identity(rule, "id")
    if incident is None:
        raise Missing("metric_alert.id")
    started = first_time(alert, "date_detected", "date_started", "date_created")
    closed = time(alert, "date_closed") if action == "resolved" else None
    at = latest(started, sent_at(payload))
    if closed is not None:
        at = closing_time(closed, started, sent_at(payload))
    if at is None:
        raise Missing("metric_alert.date_started")
    place = place_of(payload)
    organization = (
        values.identity(alert, "organization_id")
        or values.identity(rule, "organization_id")
        or place.organization
        or place.installation
    )
    if organization is None:
        raise Missing("metric_alert.organization_id")
    name = text(rule, "name") or text(alert, "title") or "Metric alert"
    key = sentry_keys.alert(place.at_server(organization), rule_id or f"incident:{incident}")
    subject = Thing(key, name[:200], url(data, "web_url"))
    builder = SentryStatementBuilder(place, subject)
    builder.references += [Reference("project", slug) for slug in slugs(alert)]
    for slug in slugs(alert):
        if place.organization_name is not None:
            alias = sentry_keys.project_by_slug(place.organization_name, slug)
            builder.relate("belongs_to", Thing(alias, slug))
    statement = builder.build(
        source_id=keys.source_id(subject.key, action, f"{incident}@{moment_key(closed or at)}"),
        source_type=f"metric-alert.{action}",
        occurred_at=at,
        title=titled(tag, name),
        content=_metric_content(data, alert, rule, name),
        base_significance=70,
        actor=actor(payload),
        states=(
            StateChange(
                subject, "level", action, at, rank, action, metadata={"incident": incident}
            ),
        ),
        metadata={
            "alertId": incident,
            "alertRuleId": rule_id,
            "alertRuleName": name[:500],
            "organizationId": organization,
            "query": name_of(rule, "query"),
            "aggregate": name_of(rule, "aggregate"),
            "timeWindow": values.count(rule, "time_window"),
            "thresholdType": values.count(rule, "threshold_type"),
            "resolveThreshold": _number(rule, "resolve_threshold"),
            "dateStarted": name_of(alert, "date_started"),
            "dateDetected": name_of(alert, "date_detected"),
            "dateClosed": name_of(alert, "date_closed"),
            "projects": slugs(alert),
            "action": action,
            "webUrl": url(data, "web_url"),
            "organizationSlug": place.organization,
            "installationId": place.installation,
        },
        updated_at=at,
    )
    return Understood((statement,))


def closing_time(closed: datetime, begun: datetime | None, sent: datetime | None) -> datetime:
    """When an incident ended: never before any of its levels.

    `date_closed` is truncated to the minute and precedes the moment at which Sentry noticed the end by the
    rule's time window, so it can be earlier than the sending of `critical`. So the time of sending counts,
    as for every level, else the last second of that minute.
    """
    if sent is None and not closed.second and not closed.microsecond:
        closed += timedelta(seconds=59)
    return latest(begun, closed, sent) or closed


def _metric_content(
    data: Mapping[str, Any], alert: Mapping[str, Any], rule: Mapping[str, Any], name: str
) -> str:
    window = values.count(rule, "time_window")
    threshold = _number(rule, "resolve_threshold")
    lines = {
        "Query": text(rule, "query"),
        "Aggregate": text(rule, "aggregate"),
        "Window": None if window is None else f"{window} minutes",
        "Resolve threshold": threshold,
        "Started": text(alert, "date_started"),
        "Detected": text(alert, "date_detected"),
        "Closed": text(alert, "date_closed"),
    }
    return content_of(
        name,
        text(data, "description_text"),
        *(f"{label}: {value}" for label, value in lines.items() if value is not None),
    )


def _number(value: Mapping[str, Any], name: str) -> int | float | None:
    """A finite number that any reader of JSON can hold."""
    number = value.get(name)
    if isinstance(number, bool) or not isinstance(number, int | float):
        return None
    return number if abs(number) < 1e15 else None
