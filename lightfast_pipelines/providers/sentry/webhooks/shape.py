"""What a body says of itself, whatever the header beside it claims.

The signature covers the body alone: so the body decides which event it is, and where it was sent to.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from lightfast_pipelines.providers import json_body
from lightfast_pipelines.providers.fields import child, time

# Stands in the payload beside Sentry's own fields; `decode` alone writes it.
SENT_AT = "_hook_timestamp"
RECEIVED_AT = "_received_at"

RESOURCES = frozenset(
    {
        "issue",
        "error",
        "event_alert",
        "metric_alert",
        "comment",
        "installation",
        "activity_alert",
        "seer",
    }
)


def resource_of(payload: Mapping[str, Any]) -> str | None:
    """The resource that the body is about, in the words of `Sentry-Hook-Resource`; None: unknown."""
    data = child(payload, "data")
    if child(data, "metric_alert"):
        return "metric_alert"
    if child(data, "error"):
        return "error"
    if child(data, "event"):
        return "event_alert"
    if child(data, "issue"):
        return "activity_alert" if "activity" in data and "alert" in data else "issue"
    if "comment_id" in data and "issue_id" in data:
        return "comment"
    if "run_id" in data and "group_id" in data:
        return "seer"
    return "installation" if child(data, "installation") else None


class _Body(msgspec.Struct):
    data: msgspec.Raw = msgspec.Raw()


class _Data(msgspec.Struct):
    """What `resource_of` looks at."""

    metric_alert: msgspec.Raw = msgspec.Raw()
    error: msgspec.Raw = msgspec.Raw()
    event: msgspec.Raw = msgspec.Raw()
    issue: msgspec.Raw = msgspec.Raw()
    activity: msgspec.Raw = msgspec.Raw()
    alert: msgspec.Raw = msgspec.Raw()
    comment_id: msgspec.Raw = msgspec.Raw()
    issue_id: msgspec.Raw = msgspec.Raw()
    run_id: msgspec.Raw = msgspec.Raw()
    group_id: msgspec.Raw = msgspec.Raw()
    installation: msgspec.Raw = msgspec.Raw()


_BODY, _DATA = msgspec.json.Decoder(_Body), msgspec.json.Decoder(_Data)
_EMPTY = re.compile(rb"\{\s*\}")
_SOMETHING: Mapping[str, Any] = {"field": None}


def resource_in(body: bytes) -> str | None:
    """`resource_of` the payload, for the door: builds nothing of it. Raises MalformedBody."""
    data = bytes(json_body.fields(body, _BODY).data)
    if not data.startswith(b"{"):
        return resource_of({})
    found = msgspec.structs.asdict(json_body.fields(data, _DATA))
    return resource_of({"data": {name: _outline(bytes(raw)) for name, raw in found.items() if raw}})


def _outline(raw: bytes) -> Mapping[str, Any] | None:
    """An object as one that is as empty as it is; None for anything else."""
    return _SOMETHING if raw.startswith(b"{") and not _EMPTY.fullmatch(raw) else None


def sent_at(payload: Mapping[str, Any]) -> datetime | None:
    """When Sentry sent it, to the second, where the header was kept."""
    return time(payload, SENT_AT)


def known_at(payload: Mapping[str, Any]) -> datetime | None:
    """When Sentry sent it, else when it was received: for bodies that tell no time at all."""
    return sent_at(payload) or time(payload, RECEIVED_AT)
