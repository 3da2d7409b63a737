"""`integration-configuration.*`: changes of the connection. Vercel calls it a configuration (`icfg_...`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightfast_pipelines.domain.events import Filtered, Lifecycle, LifecycleEvent, Reading
from lightfast_pipelines.providers.fields import Missing, child, name_of
from lightfast_pipelines.providers.vercel.webhooks.event import VercelEvent, installation_id
from lightfast_pipelines.providers.webhook_contract import EventRule

_REMOVED = "integration-configuration.removed"
_TRANSFERRED = "integration-configuration.transferred"
_PERMISSIONS = "integration-configuration.permission-upgraded"
_SCOPES = "integration-configuration.scope-change-confirmed"
TYPES = frozenset({_REMOVED, _TRANSFERRED, _PERMISSIONS, _SCOPES})
RULES = (
    EventRule(_REMOVED, None, "lifecycle", note="the installation is removed"),
    EventRule(_TRANSFERRED, None, "lifecycle", note="the installation moves to another team"),
    EventRule(_PERMISSIONS, None, "lifecycle", note="access to projects is given or taken"),
    EventRule(_SCOPES, None, "filtered", note="changes nothing that is linked"),
)


def read(event: VercelEvent) -> Reading:
    """Raises Missing without a configuration."""
    identity = installation_id(event.inner)
    if identity is None:
        raise Missing("payload.configuration.id")
    if event.type == _SCOPES:
        return Filtered(f"{event.type} changes nothing that is linked")
    if event.type == _PERMISSIONS:
        return _permissions(event)
    if event.type == _REMOVED:
        change, value = "removed", {}
    else:
        to = name_of(event.inner, "newTeamId") or name_of(event.inner, "newAccountId")
        change, value = "transferred", {"account_id": to} if to else {}
    reason = f"Vercel: integration {change}"
    lifecycle = LifecycleEvent("installation", identity, change, event.at, reason, value)
    return Lifecycle((lifecycle,), event.type)


def _permissions(event: VercelEvent) -> Reading:
    """Projects that the integration gains or loses access to."""
    projects = child(event.inner, "projects")
    events = tuple(
        LifecycleEvent("resource", project, change, event.at, f"Vercel: project {words}")
        for field, change, words in (
            ("added", "active", "given to the integration"),
            ("removed", "removed", "taken from the integration"),
        )
        for project in _project_ids(projects, field)
    )
    if not events:
        return Filtered(f"{event.type} names no project")
    return Lifecycle(events, event.type)


def _project_ids(projects: Mapping[str, Any], field: str) -> list[str]:
    """The list holds ids, or objects with an id."""
    listed = projects.get(field)
    entries = listed if isinstance(listed, list) else []
    names = (name_of(e, "id") if isinstance(e, dict) else name_of({"id": e}, "id") for e in entries)
    return sorted({name for name in names if name})
