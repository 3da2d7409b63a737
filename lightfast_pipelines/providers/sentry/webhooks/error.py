"""`error`: one event of an issue. Events of an hour become one observation (domain/occurrences.py).

A statement describes the hour's observation as this one event shows it, and which event that was.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import Edge, Occurrence, Parked, Reading, Understood
from lightfast_pipelines.providers.fields import (
    child,
    content_of,
    name_of,
    needed_child,
    text,
    titled,
    url,
)
from lightfast_pipelines.providers.sentry.place import place_of
from lightfast_pipelines.providers.sentry.webhooks import values
from lightfast_pipelines.providers.sentry.webhooks.event import (
    event_id_of,
    event_time,
    issue_of_event,
    location_of,
    paths,
)
from lightfast_pipelines.providers.sentry.webhooks.statement_builder import SentryStatementBuilder
from lightfast_pipelines.providers.sentry.webhooks.strangers import without_strangers
from lightfast_pipelines.providers.sentry.webhooks.titles import headline_of_event
from lightfast_pipelines.providers.webhook_contract import EventRule

# The earliest stored error says so, not Sentry: the issue may be older than what we have stored.
_FIRST_SEEN_CONFIDENCE = 0.8
RULES = (
    EventRule(
        "error",
        "created",
        "delivered",
        ("error.created", "error.occurred"),
        "counted by issue, release, environment and hour; the first error of an issue and of each"
        " regression has its own observation",
    ),
)


def read(payload: Mapping[str, Any]) -> Reading:
    """Raises Missing without an issue, a project, an id or a time."""
    action = text(payload, "action")
    if action != "created":
        return Parked(f"action {str(action)[:100]} of error is not known yet")
    error = needed_child(child(payload, "data"), "error")
    place = place_of(payload)
    issue = issue_of_event(place, error)
    event_id, at = event_id_of(error), event_time(error)
    version, environment = values.version(error), values.environment(error)
    builder = SentryStatementBuilder(place, issue)
    builder.add_project()
    builder.refer("issue", issue.key.rpartition(":")[2], issue.url)
    if version is not None:
        release = builder.add_release(version)
        builder.edges.append(Edge(issue, "caused_by", release, _FIRST_SEEN_CONFIDENCE))
    for path in paths(error):
        builder.mention_file(path, 0.7)
    hour = f"{at:%Y-%m-%dT%HZ}"
    statement = builder.build(
        source_id=keys.source_id(
            issue.key, "error.occurred", f"{version or ''}|{environment or ''}|{hour}"
        ),
        source_type="error.occurred",
        occurred_at=at,
        title=titled("Error", headline_of_event(error)),
        content=content_of(*_content(error)),
        base_significance=45,
        metadata={
            **_metadata(error, event_id, at),
            "release": version,
            "environment": environment,
            **place.facts,
        },
        updated_at=at,
        occurrence=Occurrence(issue.key, event_id),
    )
    return Understood((without_strangers(statement, error),))


def _content(error: Mapping[str, Any]) -> Iterator[str | None]:
    metadata = child(error, "metadata")
    yield text(error, "title")
    yield text(error, "message")
    yield text(metadata, "value")
    location = location_of(error)
    yield f"Location: {location}" if location else None
    for exception in values.exceptions(error):
        kind = text(exception, "type") or "Error"
        frame = values.last_frame(exception)
        filename, line = text(frame, "filename"), values.count(frame, "lineno")
        where = f" at {filename}" + (f":{line}" if line is not None else "") if filename else ""
        function = text(frame, "function")
        yield f"{kind}{where}" + (f" in {function}" if function else "")
    platform = name_of(error, "platform")
    yield f"Platform: {platform}" if platform else None


def _metadata(error: Mapping[str, Any], event_id: str, at: datetime) -> dict[str, Any]:
    metadata, sdk = child(error, "metadata"), child(error, "sdk")
    return {
        "eventId": event_id,
        "issueId": values.identity(error, "issue_id", "groupID"),
        "occurredAt": f"{at.replace(tzinfo=None).isoformat()}Z",
        "level": name_of(error, "level") or values.tags(error).get("level"),
        "platform": name_of(error, "platform"),
        "errorType": name_of(metadata, "type"),
        "errorValue": (text(metadata, "value") or "")[:500] or None,
        "filename": name_of(metadata, "filename"),
        "function": name_of(metadata, "function"),
        "location": name_of(error, "location"),
        "culprit": name_of(error, "culprit"),
        "tags": values.tags(error),
        "sdkName": name_of(sdk, "name"),
        "sdkVersion": name_of(sdk, "version"),
        "webUrl": url(error, "web_url"),
    }
