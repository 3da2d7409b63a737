"""Vercel's envelope, and the fields that every event has in the same place.

Each type of event is read by the module named after its subject.
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

# Vercel's "Webhooks API Reference" lists these types as replaced; old endpoints still get them.
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
    """Today's name of this type of event."""
    return _REPLACED.get(event_type, event_type)


@dataclass(frozen=True, slots=True)
class VercelEvent:
    """`type` is today's name, `inner` the envelope's payload, `at` the time of the event."""

    id: str | None
    type: str
    at: datetime
    inner: Mapping[str, Any]

    @property
    def user(self) -> Account | None:
        """Who did it: Vercel gives the id of an account, rarely more."""
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
    def facts(self) -> dict[str, Any]:
        """The metadata that every observation has."""
        return {
            "webhookId": self.id,
            "projectId": project_id(self.inner),
            "projectName": project_name(self.inner),
            "teamId": self.team_id,
        }

    def needed_project(self) -> tuple[Thing, str]:
        """The project and its id. Raises Missing."""
        project, identity = self.project, project_id(self.inner)
        if project is None or identity is None:
            raise Missing("payload.project.id")
        return project, identity

    @property
    def project(self) -> Thing | None:
        identity = project_id(self.inner)
        if identity is None:
            return None
        address = url(child(self.inner, "links"), "project")
        return Thing(vercel_keys.project(identity), project_name(self.inner), address)


def _kind(user: Mapping[str, Any]) -> AccountKind:
    """By the account's `type`: a person, a team, or a machine (bot, integration, system)."""
    words = (name_of(user, "type") or "").lower()
    if not words:
        return "unknown"
    if words in ("user", "member", "person"):
        return "person"
    return "organization" if words in ("team", "organization") else "bot"


def event_of(event_type: str, payload: Mapping[str, Any]) -> VercelEvent:
    """Raises Missing without a time or a payload."""
    at = time(payload, "createdAt")
    if at is None:
        raise Missing("createdAt")
    inner = needed_child(payload, "payload")
    return VercelEvent(name_of(payload, "id"), current_type(event_type), at, inner)


def project_id(inner: Mapping[str, Any]) -> str | None:
    """Old events have only `projectId`."""
    return name_of(child(inner, "project"), "id") or name_of(inner, "projectId")


def project_name(inner: Mapping[str, Any]) -> str | None:
    """A deployment's `name` is that of its project."""
    deployment = child(inner, "deployment")
    return (
        name_of(child(inner, "project"), "name")
        or name_of(deployment, "name")
        or name_of(inner, "name")
        or name_of(inner, "projectName")
        or name_of(inner, "projectSlug")
    )


def deployment_id(inner: Mapping[str, Any]) -> str | None:
    """The deployment that the event is about; for a rollback, the one that stops serving."""
    return (
        name_of(child(inner, "deployment"), "id")
        or name_of(inner, "deploymentId")
        or name_of(inner, "fromDeploymentId")
    )


def installation_id(inner: Mapping[str, Any]) -> str | None:
    """The integration's configuration (`icfg_...`); of several, the first."""
    identity = name_of(child(inner, "configuration"), "id") or name_of(inner, "installationId")
    if identity is not None:
        return identity
    listed = inner.get("installationIds")
    first = listed[0] if isinstance(listed, list) and listed else None
    return text({"id": first}, "id")
