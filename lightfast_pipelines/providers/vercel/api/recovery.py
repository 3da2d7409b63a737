"""Which deployments still exist. Vercel has no log of deliveries that could be read.

A deployment that is deleted, by a person or by a rule of retention, leaves the list, or stands in it
as DELETED. vercel.com/docs/rest-api: List deployments, Get a deployment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from datetime import datetime
from typing import Any

from lightfast_pipelines.providers.api_contract import Answer, Call, Cursor, LinkedResource, Record
from lightfast_pipelines.providers.fields import child, children, first_time, name_of, whole
from lightfast_pipelines.providers.recovery_contract import Held, IdSweep, Known, Listed, Recovery
from lightfast_pipelines.providers.vercel import keys as vercel_keys
from lightfast_pipelines.providers.vercel.api.walker import team_of

_LIST, _ONE = "/v7/deployments", "/v13/deployments"
_PROJECT, _TEAM = "/v9/projects", "/v2/teams"
_PREFIX = "vercel:deployment:"


class _Deployments:
    """`recovery.IdSweep`."""

    kind = "deployment"
    confirm_many = 1

    def held(self, place: LinkedResource) -> Held:
        return Held(_PREFIX, "deployment.")

    def call(self, place: LinkedResource, cursor: Cursor | None) -> Call:
        params = {"limit": "100", **_scope(place)}
        if not _is_team(place):
            params["projectId"] = place.resource_id
        if cursor:
            params["until"] = str(cursor["until"])
        return Call(_LIST, params=params)

    def read(self, place: LinkedResource, cursor: Cursor | None, answer: Answer) -> Listed:
        if not isinstance(answer.data.get("deployments"), list):
            raise ValueError("Vercel's list of deployments is not of its form")
        found, gone = [], {}
        for item in children(answer.data, "deployments"):
            identity = name_of(item, "uid") or name_of(item, "id")
            if identity is None:
                continue
            key = vercel_keys.deployment(identity)
            if (name_of(item, "readyState") or name_of(item, "state")) == "DELETED":
                gone[key] = _deleted_at(item)
            else:
                found.append(key)
        until = whole(child(answer.data, "pagination"), "next")
        return Listed(found, None if until is None else {"until": until}, gone)

    def resource(self, place: LinkedResource) -> Call | None:
        """Asked under the wrong team, Vercel's list is empty: it says of the project that it is not
        found."""
        if _is_team(place):
            return Call(f"{_TEAM}/{place.resource_id}")
        return Call(f"{_PROJECT}/{place.resource_id}", params=_scope(place))

    def why_empty(self, place: LinkedResource, answer: Answer) -> str | None:
        return None

    def confirm(self, place: LinkedResource, things: Sequence[Known]) -> Call:
        path = f"{_ONE}/{_identity(things[0])}"
        return Call(path, params=_scope(place), of_one=True)

    def gone(
        self,
        place: LinkedResource,
        things: Sequence[Known],
        answer: Answer | None,
    ) -> Mapping[str, datetime | None]:
        if answer is None:
            return {things[0].key: None}
        told = name_of(answer.data, "id") or name_of(answer.data, "uid")
        if told != _identity(things[0]):
            raise ValueError(f"Vercel answers with deployment {told or '?'}")
        is_deleted = name_of(answer.data, "readyState") == "DELETED"
        return {things[0].key: _deleted_at(answer.data)} if is_deleted else {}

    def record(self, place: LinkedResource, thing: Known, at: datetime) -> Record:
        """As Vercel tells a cleanup: with what the last payload shows of the deployment."""
        identity = _identity(thing)
        inner = deepcopy(dict(child(thing.payload, "payload")))
        # Who deleted it nobody knows.
        inner.pop("user", None)
        if not child(inner, "deployment"):
            inner = {
                **inner,
                "deployment": {"id": identity, "meta": {}, "name": None},
                "project": {"id": place.resource_id},
            }
        payload = {
            "id": f"sweep_{identity}",
            "type": "deployment.cleanup",
            "createdAt": int(at.timestamp() * 1000),
            "payload": inner,
        }
        return Record("deployment.cleanup", payload, at, f"sweep:{thing.key}:deleted")


def _is_team(place: LinkedResource) -> bool:
    return place.resource_id.startswith("team_")


def _identity(thing: Known) -> str:
    return thing.key.removeprefix(_PREFIX)


def _deleted_at(item: Mapping[str, Any]) -> datetime | None:
    """The list calls it `deleted`, a single deployment `deletedAt`."""
    return first_time(item, "deletedAt", "deleted")


def _scope(place: LinkedResource) -> dict[str, str]:
    team = team_of(place)
    return {} if team is None else {"teamId": team}


class VercelRecovery(Recovery):
    """`recovery.Recovery`."""

    provider = "vercel"
    sweeps: Sequence[IdSweep] = (_Deployments(),)


RECOVERY = VercelRecovery()
