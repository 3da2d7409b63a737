"""Turns a deployment of the API into the webhooks that reported it: created, and how it ended.

Only what was true at that moment: the API does not date later promotions or checks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lightfast_pipelines.providers.api_contract import Json, LinkedResource, Record, UnreadableItem
from lightfast_pipelines.providers.fields import child, first_time, flag, name_of, text, url

# State -> (transition, fields that date it, in order of preference).
_ENDS = {
    "READY": ("succeeded", ("ready",)),
    "ERROR": ("error", ("buildErrorAt", "ready")),
    "CANCELED": ("canceled", ("canceledAt", "ready")),
    # Before it is built; Vercel does not say when.
    "BLOCKED": ("blocked", ("blockedAt", "created", "createdAt")),
}
# What the API says about its fate, besides its state.
_OUTCOME = ("readySubstate", "autoAssignCustomDomains", "aliasAssigned", "checksConclusion")
# Written into `meta` during the build or later.
_LATER_META = frozenset({"branchAlias", "lambdaRuntimeStats"})


@dataclass(frozen=True, slots=True)
class DeploymentRecords:
    """A deployment's records. `lacks_end`: it has ended, but this answer does not say when."""

    identity: str
    records: tuple[Record, ...]
    state: str
    lacks_end: bool


def read(
    place: LinkedResource, item: Mapping[str, Any], team: str | None
) -> DeploymentRecords | UnreadableItem:
    """A deployment from the list (`uid`), or one that was requested by its id (`id`)."""
    identity = name_of(item, "uid") or name_of(item, "id")
    if identity is None:
        return UnreadableItem("", "a deployment without `uid`")
    created = first_time(item, "created", "createdAt")
    if created is None:
        return UnreadableItem(identity, "`created` is missing or no time")
    project = name_of(item, "projectId") or name_of(child(item, "project"), "id")
    if project is None and place.resource_id.startswith("prj_"):
        project = place.resource_id
    if project is None:
        return UnreadableItem(identity, "`projectId` is missing, and a whole team is read")
    inner = _inner(item, identity, project, team)
    records = [_record("created", created, identity, inner, _creator(item))]
    state = name_of(item, "readyState") or name_of(item, "state") or name_of(item, "status") or ""
    end = _ENDS.get(state.upper())
    if end is None:
        return DeploymentRecords(identity, tuple(records), state, lacks_end=False)
    transition, time_fields = end
    ended = first_time(item, *time_fields)
    if ended is not None:
        # The API does not say who canceled or blocked it; the creator only began it.
        user = _creator(item) if transition not in ("canceled", "blocked") else None
        if transition != "blocked":
            inner = _ended(inner, item, state)
        records.append(_record(transition, max(ended, created), identity, inner, user))
    return DeploymentRecords(identity, tuple(records), state, lacks_end=ended is None)


def _record(transition: str, at: datetime, identity: str, inner: Json, user: Json | None) -> Record:
    event_type = f"deployment.{transition}"
    payload = {
        "type": event_type,
        "createdAt": round(at.timestamp() * 1000),
        "payload": {**inner, "user": user} if user else inner,
    }
    return Record(event_type, payload, at, f"backfill:deployment:{identity}:{transition}")


def _inner(item: Mapping[str, Any], identity: str, project: str, team: str | None) -> Json:
    meta = child(item, "meta").items()
    inspector = url(item, "inspectorUrl")
    name = name_of(item, "name")
    inner: Json = {
        "deployment": _known(
            {
                "id": identity,
                "name": name,
                "url": name_of(item, "url"),
                "inspectorUrl": inspector,
                "customEnvironmentId": name_of(child(item, "customEnvironment"), "id")
                or name_of(item, "customEnvironmentId"),
                "gitSource": child(item, "gitSource") or None,
            }
        ),
        "project": {"id": project},
        "target": name_of(item, "target"),
    }
    inner["deployment"]["meta"] = {key: value for key, value in meta if key not in _LATER_META}
    links = {"deployment": inspector, "project": _project_page(inspector, identity)}
    optional = {
        "team": {"id": team} if team else None,
        "links": _known(links) or None,
        "name": name,
        "type": name_of(item, "type"),
        "url": name_of(item, "url"),
    }
    return {**inner, **_known(optional)}


def _ended(inner: Json, item: Mapping[str, Any], state: str) -> Json:
    """Adds what has been known since the deployment ended: why it failed, or whether it went live."""
    more: Json = {"readyState": state, **{field: item.get(field) for field in _OUTCOME}}
    if state.upper() != "READY":
        more = {
            "buildSkipped": flag(item, "buildSkipped"),
            "errorMessage": text(item, "errorMessage"),
            "errorCode": name_of(item, "errorCode"),
        }
    return {**inner, "deployment": {**inner["deployment"], **_known(more)}}


def _creator(item: Mapping[str, Any]) -> Json | None:
    """`creator` has `uid` in the list. Its e-mail address is left out, as the webhook lacks it."""
    creator = child(item, "creator")
    identity = name_of(creator, "uid") or name_of(creator, "id")
    if identity is None:
        return None
    return _known(
        {
            "id": identity,
            "username": name_of(creator, "username"),
            "type": name_of(creator, "type"),
        }
    )


def _project_page(inspector: str | None, identity: str) -> str | None:
    """The project's page: the deployment's, without the deployment's own part of the address."""
    page, _, last = (inspector or "").rpartition("/")
    return page if last and last == identity.removeprefix("dpl_") and page.count("/") == 4 else None


def _known(values: Mapping[str, Any]) -> Json:
    return {name: value for name, value in values.items() if value is not None}
