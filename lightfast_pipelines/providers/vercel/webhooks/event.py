"""A delivery of Vercel, taken out of its envelope: what every event says in the same place.

What a type of event means stands in the module named after its thing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lightfast_pipelines.domain.events import Account, AccountKind, Thing
from lightfast_pipelines.providers.fields import (
    Missing,
    child,
    name_of,
    needed_child,
    text,
    time,
    url,
)
from lightfast_pipelines.providers.vercel import keys as vercel_keys

# Vercel's page "Webhooks API Reference" lists these as replaced; old endpoints still get them.
_REPLACED = {
    "deployment": "deployment.created",
    "deployment-canceled": "deployment.canceled",
    "deployment-check-rerequested": "deployment.check-rerequested",
    "deployment-error": "deployment.error",
    "deployment-prepared": "deployment.ready",
    "deployment-ready": "deployment.succeeded",
    "integration-configuration-permission-updated": (
        "integration-configuration.permission-upgraded"
    ),
    "integration-configuration-removed": "integration-configuration.removed",
    "integration-configuration-scope-change-confirmed": (
        "integration-configuration.scope-change-confirmed"
    ),
    "project-created": "project.created",
    "project-removed": "project.removed",
}


def current_type(event_type: str) -> str:
    """The type under which Vercel sends this event today."""
    return _REPLACED.get(event_type, event_type)


@dataclass(frozen=True, slots=True)
class VercelEvent:
    """`type` is today's name, `inner` the envelope's payload, `at` when the event was made."""

    id: str | None
    type: str
    at: datetime
    inner: Mapping[str, Any]

    @property
    def user(self) -> Account | None:
        """Whose action it was: Vercel names an account's id, seldom more."""
        user = child(self.inner, "user")
        identity = name_of(user, "id")
        if identity is None:
            return None
        return Account(
            "vercel",
            identity,
            name_of(user, "username"),
            name=name_of(user, "name"),
            kind=_kind(user),
        )

    @property
    def team_id(self) -> str | None:
        return name_of(child(self.inner, "team"), "id") or name_of(self.inner, "teamId")

    @property
    def project(self) -> Thing | None:
        """The project; a deployment's `name` is its project's, as far as its address shows it."""
        identity = project_id(self.inner)
        if identity is None:
            return None
        address = url(child(self.inner, "links"), "project")
        return Thing(vercel_keys.project(identity), project_name(self.inner), address)


def _kind(user: Mapping[str, Any]) -> AccountKind:
    """By the account's `type`: a member, a team, or something that is nobody (bot, integration, system)."""
    words = (name_of(user, "type") or "").lower()
    if not words:
        return "unknown"
    if words in ("user", "member", "person"):
        return "person"
    return "organization" if words in ("team", "organization") else "bot"


def event_of(event_type: str, payload: Mapping[str, Any]) -> VercelEvent:
    """Raises Missing where the envelope has no time or nothing in it."""
    at = time(payload, "createdAt")
    if at is None:
        raise Missing("createdAt")
    inner = needed_child(payload, "payload")
    return VercelEvent(name_of(payload, "id"), current_type(event_type), at, inner)


def project_id(inner: Mapping[str, Any]) -> str | None:
    """Old events have `projectId` alone."""
    return name_of(child(inner, "project"), "id") or name_of(inner, "projectId")


def project_name(inner: Mapping[str, Any]) -> str | None:
    deployment = child(inner, "deployment")
    return (
        name_of(child(inner, "project"), "name")
        or name_of(deployment, "name")
        or name_of(inner, "name")
        or name_of(inner, "projectName")
        or name_of(inner, "projectSlug")
    )


def deployment_id(inner: Mapping[str, Any]) -> str | None:
    """That which the event is about; a rollback is about the one that goes."""
    return (
        name_of(child(inner, "deployment"), "id")
        or name_of(inner, "deploymentId")
        or name_of(inner, "fromDeploymentId")
    )


def installation_id(inner: Mapping[str, Any]) -> str | None:
    """The integration's configuration (`icfg_...`); an event may reach several, the first is named."""
    known = name_of(child(inner, "configuration"), "id") or name_of(inner, "installationId")
    if known is not None:
        return known
    found = inner.get("installationIds")
    first = found[0] if isinstance(found, list) and found else None
    return first if isinstance(first, str) and text({"id": first}, "id") else None
