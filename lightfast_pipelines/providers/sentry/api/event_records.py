"""Turns an event of the API into the webhook `error`, without anything about the people who met the error.

The API nests exceptions in `entries` and spells fields differently from the webhook.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lightfast_pipelines.providers.api_contract import (
    Answer,
    Json,
    LinkedResource,
    Record,
    UnreadableItem,
)
from lightfast_pipelines.providers.fields import child, children, name_of, text, time
from lightfast_pipelines.providers.sentry.api.envelope import SENTRY, installation, site
from lightfast_pipelines.providers.sentry.api.organization import ORGANIZATIONS, project_number
from lightfast_pipelines.providers.sentry.webhooks.strangers import without_person
from lightfast_pipelines.providers.sentry.webhooks.values import (
    environment,
    identity,
    tags,
    version,
)

_SAME = ("title", "message", "culprit", "location", "platform", "type")
_FRAME = {
    "filename": "filename",
    "function": "function",
    "module": "module",
    "lineNo": "lineno",
    "colNo": "colno",
    "inApp": "in_app",
}
_EVENT = re.compile(r"[0-9a-fA-F]{1,40}")


def read(
    place: LinkedResource, organization: str, issue: str, event: Any, answer: Answer
) -> Record | UnreadableItem:
    """An event from the list of an issue's events (`full`), or one that was requested alone."""
    item: Mapping[str, Any] = event if isinstance(event, dict) else {}
    number = identity(item, "eventID", "id")
    if number is None or not _EVENT.fullmatch(number):
        return UnreadableItem(
            f"an event of issue {issue}", "`eventID` is missing or not of its form"
        )
    at = time(item, "dateCreated")
    if at is None:
        return UnreadableItem(f"event {number}", "`dateCreated` is missing or no time")
    project = identity(item, "projectID") or project_number(place)
    if project is None:
        return UnreadableItem(
            f"event {number}", "`projectID` is missing, and no project's number is linked"
        )
    issue = identity(item, "groupID") or issue
    base = site(place, answer)
    error = {
        **_error(item, number, project, issue),
        "issue_url": f"{base}{ORGANIZATIONS}{organization}/issues/{issue}/",
        "web_url": f"{base}/organizations/{organization}/issues/{issue}/events/{number}/",
    }
    data = {"error": error}
    payload = {"action": "created", **installation(place), "data": data, "actor": SENTRY}
    return Record("error", payload, at, f"backfill:event:{number}:created")


def _error(item: Mapping[str, Any], number: str, project: str, issue: str) -> Json:
    kept_tags = tags(item)  # which leaves out those about a person
    error: Json = {name: item[name] for name in _SAME if item.get(name) is not None}
    error["metadata"] = without_person(child(item, "metadata"))
    error |= {
        "event_id": number,
        "project": int(project) if project.isdigit() else project,
        "issue_id": issue,
        "datetime": text(item, "dateCreated"),
        "tags": [[key, value] for key, value in kept_tags.items()],
        "release": version(item),
        "environment": environment(item),
        "level": kept_tags.get("level"),
    }
    sdk = child(item, "sdk")
    if sdk:
        error["sdk"] = {name: name_of(sdk, name) for name in ("name", "version")}
    exceptions = [
        _exception(value)
        for entry in children(item, "entries")
        if text(entry, "type") == "exception"
        for value in children(child(entry, "data"), "values")
    ]
    if exceptions:
        error["exception"] = {"values": exceptions}
    return error


def _exception(value: Mapping[str, Any]) -> Json:
    """Type, message and stack trace, in the webhook's spelling."""
    frames = [
        {name: frame[field] for field, name in _FRAME.items() if frame.get(field) is not None}
        for frame in children(child(value, "stacktrace"), "frames")
    ]
    return {
        "type": text(value, "type"),
        "value": text(value, "value"),
        "stacktrace": {"frames": frames},
    }
