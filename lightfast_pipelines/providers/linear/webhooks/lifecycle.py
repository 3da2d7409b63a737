"""`OAuthApp` and `PermissionChange`: changes of the connection to an organization.

They affect fetching and display, never what is stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightfast_pipelines.domain.events import Filtered, Lifecycle, LifecycleEvent, Parked, Reading
from lightfast_pipelines.providers.fields import text, time
from lightfast_pipelines.providers.linear.webhooks.changes import ids
from lightfast_pipelines.providers.linear.webhooks.event import needed_id
from lightfast_pipelines.providers.webhook_contract import EventRule


def read_application(payload: Mapping[str, Any]) -> Reading:
    """The organization revoked the application. Raises Missing."""
    action = text(payload, "action")
    if action != "revoked":
        return Parked(f"action {str(action)[:100]} of OAuthApp is not known yet")
    event = LifecycleEvent(
        "installation",
        needed_id(payload, "organizationId"),
        "removed",
        time(payload, "createdAt"),
        "Linear: the application was revoked by the organization",
    )
    return Lifecycle((event,), "OAuthApp revoked")


def read_permissions(payload: Mapping[str, Any]) -> Reading:
    """Teams that the application gained or lost access to."""
    action = text(payload, "action")
    if action != "teamAccessChanged":
        return Parked(f"action {str(action)[:100]} of PermissionChange is not known yet")
    at = time(payload, "createdAt")
    gained = ("addedTeamIds", "active", "Linear: the application was given access to the team")
    lost = ("removedTeamIds", "removed", "Linear: the application lost access to the team")
    events = tuple(
        LifecycleEvent("resource", team_id, change, at, reason)
        for field, change, reason in (gained, lost)
        for team_id in ids(payload.get(field))
    )
    if not events:
        return Filtered("PermissionChange names no team")
    return Lifecycle(events, "PermissionChange teamAccessChanged")


RULES = (
    EventRule("OAuthApp", "revoked", "lifecycle", note="the installation is removed"),
    EventRule(
        "PermissionChange",
        "teamAccessChanged",
        "lifecycle",
        note="the application gains or loses access to teams; filtered if it names none",
    ),
)
