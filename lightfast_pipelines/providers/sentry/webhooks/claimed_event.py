"""Which resource a body is about, whatever the header claims, and when it was sent.

The signature covers only the body, so the body decides which event it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from lightfast_pipelines.providers import json_body
from lightfast_pipelines.providers.fields import child, time

# `decode` adds these to Sentry's own fields.
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
    """The resource that the body is about, as `Sentry-Hook-Resource` names it; None: unknown."""
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
    """The fields that `resource_of` needs."""

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
    """`resource_of` for the receiver, without building the payload. Raises MalformedBody."""
    data = bytes(json_body.fields(body, _BODY).data)
    if not data.startswith(b"{"):
        return resource_of({})
    fields = msgspec.structs.asdict(json_body.fields(data, _DATA))
    outline = {name: _outline(bytes(raw)) for name, raw in fields.items() if raw}
    return resource_of({"data": outline})


def _outline(raw: bytes) -> Mapping[str, Any] | None:
    """Stands for an object: empty if that is empty. None for anything else."""
    return _SOMETHING if raw.startswith(b"{") and not _EMPTY.fullmatch(raw) else None


def sent_at(payload: Mapping[str, Any]) -> datetime | None:
    """When Sentry sent it, to the second, if the header was kept."""
    return time(payload, SENT_AT)


def known_at(payload: Mapping[str, Any]) -> datetime | None:
    """When Sentry sent it, else when it was received: for bodies that carry no time."""
    return sent_at(payload) or time(payload, RECEIVED_AT)
