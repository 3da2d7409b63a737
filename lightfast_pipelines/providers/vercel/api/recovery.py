"""Sweeps the ids of deployments, to find those that were deleted. Vercel offers no log of deliveries.

A deployment deleted by a person or by a retention rule leaves the list, or remains in it as DELETED.
vercel.com/docs/rest-api: List deployments, Get a deployment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from datetime import datetime
from typing import Any

from lightfast_pipelines.providers.api_contract import Answer, Call, Cursor, LinkedResource, Record
from lightfast_pipelines.providers.fields import child, first_time, name_of
from lightfast_pipelines.providers.recovery_contract import (
    EntityPage,
    EntityScope,
    IdSweep,
    KnownEntity,
    Recovery,
)
from lightfast_pipelines.providers.vercel import keys as vercel_keys
from lightfast_pipelines.providers.vercel.api.listing import (
    LARGEST_PAGE,
    is_team,
    items_of,
    list_call,
    next_until,
    single_call,
    team_params,
)

_PREFIX = "vercel:deployment:"


class _DeploymentSweep(IdSweep):
    kind = "deployment"
    confirm_many = 1

    def scope(self, place: LinkedResource) -> EntityScope:
        return EntityScope(_PREFIX, "deployment.")

    def call(self, place: LinkedResource, cursor: Cursor | None) -> Call:
        return list_call(place, limit=LARGEST_PAGE, **(cursor or {}))

    def read(self, place: LinkedResource, cursor: Cursor | None, answer: Answer) -> EntityPage:
        listed: list[str] = []
        deleted: dict[str, datetime | None] = {}
        for item in items_of(answer):
            identity = name_of(item, "uid") or name_of(item, "id")
            if identity is None:
                continue
            key = vercel_keys.deployment(identity)
            if (name_of(item, "readyState") or name_of(item, "state")) == "DELETED":
                deleted[key] = _deleted_at(item)
            else:
                listed.append(key)
        until = next_until(answer)
        return EntityPage(listed, None if until is None else {"until": until}, deleted)

    def resource(self, place: LinkedResource) -> Call | None:
        """On behalf of the wrong team, Vercel's list is empty, while the project is not found."""
        if is_team(place):
            return Call(f"/v2/teams/{place.resource_id}")
        return Call(f"/v9/projects/{place.resource_id}", params=team_params(place))

    def confirm(self, place: LinkedResource, things: Sequence[KnownEntity]) -> Call:
        return single_call(place, _identity(things[0]))

    def gone(
        self, place: LinkedResource, things: Sequence[KnownEntity], answer: Answer | None
    ) -> Mapping[str, datetime | None]:
        (deployment,) = things
        if answer is None:
            return {deployment.key: None}
        answered = name_of(answer.data, "id") or name_of(answer.data, "uid")
        if answered != _identity(deployment):
            raise ValueError(f"Vercel answers with deployment {answered or '?'}")
        is_deleted = name_of(answer.data, "readyState") == "DELETED"
        return {deployment.key: _deleted_at(answer.data)} if is_deleted else {}

    def record(self, place: LinkedResource, thing: KnownEntity, at: datetime) -> Record:
        """The webhook of a cleanup, with what the latest payload shows of the deployment."""
        identity = _identity(thing)
        inner = deepcopy(dict(child(thing.payload, "payload")))
        inner.pop("user", None)  # nobody knows who deleted it
        if not child(inner, "deployment"):
            inner["deployment"] = {"id": identity, "meta": {}, "name": None}
            inner["project"] = {"id": place.resource_id}
        payload = {
            "id": f"sweep_{identity}",
            "type": "deployment.cleanup",
            "createdAt": int(at.timestamp() * 1000),
            "payload": inner,
        }
        return Record("deployment.cleanup", payload, at, f"sweep:{thing.key}:deleted")


def _identity(thing: KnownEntity) -> str:
    return thing.key.removeprefix(_PREFIX)


def _deleted_at(item: Mapping[str, Any]) -> datetime | None:
    """The list calls it `deleted`, a single deployment `deletedAt`."""
    return first_time(item, "deletedAt", "deleted")


class VercelRecovery(Recovery):
    provider = "vercel"
    sweeps: Sequence[IdSweep] = (_DeploymentSweep(),)


RECOVERY = VercelRecovery()
