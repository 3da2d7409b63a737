"""`installation`: the connection was created, deleted, suspended or unsuspended.

The payload carries no time: the header's time dates it, else the time of receipt.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightfast_pipelines.domain.events import Lifecycle, LifecycleEvent, Parked, Reading
from lightfast_pipelines.providers.fields import Missing, child, name_of, text
from lightfast_pipelines.providers.sentry.place import place_of
from lightfast_pipelines.providers.sentry.webhooks.claimed_event import sent_at
from lightfast_pipelines.providers.sentry.webhooks.values import identity
from lightfast_pipelines.providers.webhook_contract import EventRule

_CHANGES = {
    "created": "active",
    "deleted": "removed",
    "suspended": "suspended",
    "suspend": "suspended",
    "unsuspended": "active",
    "unsuspend": "active",
}
RULES = tuple(EventRule("installation", action, "lifecycle") for action in _CHANGES)


def read(payload: Mapping[str, Any]) -> Reading:
    """Raises Missing without an id. `code` is a credential and is never kept."""
    action = text(payload, "action")
    change = _CHANGES.get(action or "")
    if change is None:
        return Parked(f"action {str(action)[:100]} of installation is not known yet")
    place = place_of(payload)
    if place.installation is None:
        raise Missing("installation.uuid")
    installed = child(child(payload, "data"), "installation")
    value = {
        "account_login": place.organization,
        "account_id": identity(child(installed, "organization"), "id"),
        "app": name_of(child(installed, "app"), "slug"),
        "status": name_of(installed, "status"),
    }
    event = LifecycleEvent(
        "installation",
        place.installation,
        change,
        sent_at(payload),
        f"Sentry: installation {action}",
        {name: entry for name, entry in value.items() if entry is not None},
    )
    return Lifecycle((event,), f"installation {action}")
