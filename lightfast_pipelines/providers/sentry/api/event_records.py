"""What one event of the API says, as the webhook `error` told it. Nothing of whoever met the error.

The API nests exceptions in `entries` and writes fields in another case than the webhook.
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
from lightfast_pipelines.providers.sentry.api.where import (
    SENTRY,
    installation,
    project_number,
    site,
)
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
    """An event of the list of an issue's (`full`), or one that was answered by itself."""
    given: Mapping[str, Any] = event if isinstance(event, dict) else {}
    number = identity(given, "eventID", "id")
    if number is None or not _EVENT.fullmatch(number):
        return UnreadableItem(
            f"an event of issue {issue}", "`eventID` is missing or not of its form"
        )
    at = time(given, "dateCreated")
    if at is None:
        return UnreadableItem(f"event {number}", "`dateCreated` is missing or no time")
    project = identity(given, "projectID") or project_number(place)
    if project is None:
        return UnreadableItem(
            f"event {number}", "`projectID` is missing, and no project's number is linked"
        )
    found = _event(given, number, project, identity(given, "groupID") or issue)
    base = site(place, answer)
    page = f"{base}/organizations/{organization}/issues/{found['issue_id']}/"
    found["issue_url"] = f"{base}/api/0/organizations/{organization}/issues/{found['issue_id']}/"
    found["web_url"] = f"{page}events/{number}/"
    payload = {
        "action": "created",
        **installation(place),
        "data": {"error": found},
        "actor": SENTRY,
    }
    return Record("error", payload, at, f"backfill:event:{number}:created")


def _event(given: Mapping[str, Any], number: str, project: str, issue: str) -> Json:
    kept = tags(given)  # those about a person are left out there
    found: Json = {name: given[name] for name in _SAME if given.get(name) is not None}
    found["metadata"] = without_person(child(given, "metadata"))
    found |= {
        "event_id": number,
        "project": int(project) if project.isdigit() else project,
        "issue_id": issue,
        "datetime": text(given, "dateCreated"),
        "tags": [[key, value] for key, value in kept.items()],
        "release": version(given),
        "environment": environment(given),
        "level": kept.get("level"),
    }
    sdk = child(given, "sdk")
    if sdk:
        found["sdk"] = {name: name_of(sdk, name) for name in ("name", "version")}
    exceptions = [
        _exception(value)
        for entry in children(given, "entries")
        if text(entry, "type") == "exception"
        for value in children(child(entry, "data"), "values")
    ]
    if exceptions:
        found["exception"] = {"values": exceptions}
    return found


def _exception(value: Mapping[str, Any]) -> Json:
    """The type, what it said, and where it was raised, in the webhook's words."""
    frames = [
        {theirs: frame[ours] for ours, theirs in _FRAME.items() if frame.get(ours) is not None}
        for frame in children(child(value, "stacktrace"), "frames")
    ]
    return {
        "type": text(value, "type"),
        "value": text(value, "value"),
        "stacktrace": {"frames": frames},
    }
