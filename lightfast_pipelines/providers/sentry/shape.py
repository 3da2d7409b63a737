"""What a body says of itself, whatever the header beside it claims.

The signature covers the body alone: so the body decides which event it is, and where it was sent to.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

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


def sent_at(payload: Mapping[str, Any]) -> datetime | None:
    """When Sentry sent it, to the second, where the header was kept."""
    return time(payload, SENT_AT)


def known_at(payload: Mapping[str, Any]) -> datetime | None:
    """When Sentry sent it, else when it was received: for bodies that tell no time at all."""
    return sent_at(payload) or time(payload, RECEIVED_AT)
