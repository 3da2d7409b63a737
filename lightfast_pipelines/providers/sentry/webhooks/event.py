"""An event as errors and issue alerts carry it: its id, time, issue and location.

Fields have the webhook's names, else those of the API (`eventID`, `groupID`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lightfast_pipelines.domain.events import Thing
from lightfast_pipelines.providers.fields import Missing, child, first_time, text, url
from lightfast_pipelines.providers.sentry.place import SentryPlace
from lightfast_pipelines.providers.sentry.webhooks import values
from lightfast_pipelines.providers.sentry.webhooks.things import issue_thing
from lightfast_pipelines.providers.sentry.webhooks.titles import title_of_event

_ISSUE_IN_ADDRESS = re.compile(r"/issues/(\d{1,20})(?:/|$)")
_MOST_PATHS = 3


def event_id_of(event: Mapping[str, Any]) -> str:
    """Raises Missing."""
    event_id = values.identity(event, "event_id", "eventID", "id")
    if event_id is None:
        raise Missing("event_id")
    return event_id


def event_time(event: Mapping[str, Any]) -> datetime:
    """Raises Missing. `timestamp` is seconds with a fraction, or ISO text in newer payloads."""
    at = first_time(event, "datetime", "timestamp", "dateCreated", "received")
    if at is None:
        raise Missing("datetime")
    return at


def issue_of_event(place: SentryPlace, event: Mapping[str, Any]) -> Thing:
    """Raises Missing without an issue or a project."""
    issue_id = values.identity(event, "issue_id", "groupID")
    addresses = [url(event, "issue_url"), url(event, "web_url")]
    for address in filter(None, addresses):
        match = _ISSUE_IN_ADDRESS.search(address)
        issue_id = issue_id or (match[1] if match else None)
    if issue_id is None:
        raise Missing("issue_id")
    page = (url(event, "web_url") or "").partition("/events/")[0]
    return issue_thing(
        place,
        issue_id,
        title=title_of_event(event),
        address=f"{page}/" if _ISSUE_IN_ADDRESS.search(page) else None,
    )


def location_of(event: Mapping[str, Any]) -> str | None:
    return (
        text(event, "location")
        or text(child(event, "metadata"), "filename")
        or text(event, "culprit")
    )


def paths(event: Mapping[str, Any]) -> list[str]:
    """Files of the repository in which the exceptions were raised, three at most."""
    frames = [values.last_frame(exception) for exception in values.exceptions(event)]
    names = [text(frame, "filename") for frame in frames]
    names.append(text(child(event, "metadata"), "filename"))
    source_paths = [path for name in names if (path := values.source_path(name)) is not None]
    return list(dict.fromkeys(source_paths))[:_MOST_PATHS]
