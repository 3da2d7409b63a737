"""Walks projects and what is reported of them.

Linear's API keeps no history of a project that says what it means: what is known of it are the times
it names itself (made, started, completed, canceled, archived), without who did it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from lightfast_pipelines.providers.api_contract import Json, LinkedResource, Record, Window
from lightfast_pipelines.providers.fields import child, name_of, time
from lightfast_pipelines.providers.linear.api import queries
from lightfast_pipelines.providers.linear.api.listing import ListWalker
from lightfast_pipelines.providers.linear.api.queries import moment
from lightfast_pipelines.providers.linear.api.records import (
    PERSON,
    Teller,
    is_untouched,
    linked,
    needed_id,
    needed_time,
    nodes,
    same_change,
)

_TEAMS = 10
_MEMBERS = 20
_PROJECT = f"""
id createdAt updatedAt archivedAt trashed name description slugId url health healthUpdatedAt priority
startDate targetDate startedAt completedAt canceledAt
creator {{ {PERSON} }} lead {{ {PERSON} }} status {{ id name type }}
"""
_UPDATE = f"""
id createdAt updatedAt editedAt body health url user {{ {PERSON} }} project {{ id name url }}
"""
_STATUSES = {"startedAt": "started", "completedAt": "completed", "canceledAt": "canceled"}
# What may have been changed since a project was made, without a fact of its own in the API.
_CHANGING = ("priority", "startDate", "targetDate")


PATHS = (("accessibleTeams", "some", "id"), ("id",))
"""Where a project's filter names the team that sees it, or itself."""


def _projects(place: LinkedResource, window: Window) -> Sequence[Json | None]:  # noqa: ARG001
    """All of them: one that is archived or trashed keeps its `updatedAt`, and there is no other
    filter; projects are few."""
    return (queries.of_place(place, *PATHS),)


def _updates(place: LinkedResource, window: Window) -> Sequence[Json | None]:
    return (
        queries.of_place(place, ("project", "accessibleTeams", "some", "id"), ("project", "id")),
        queries.changed_since(window, "updatedAt"),
    )


def _of_project(item: Json, organization: str) -> Sequence[Record]:
    made = needed_time(item, "createdAt")
    teller = Teller("Project", organization, name_of(item, "url"))
    base: Json = {"id": needed_id(item), "createdAt": item["createdAt"]}
    base |= {name: item.get(name) for name in ("name", "description", "slugId", "url")}
    base["teamIds"] = [each["id"] for each in nodes(item, "teams")]
    linked(base, item, "creator")

    def told(
        action: str, fact: str, at: datetime, own: Json, changed: Json | None = None
    ) -> Record:
        data: Json = {**base, "updatedAt": moment(at)}
        if is_untouched(item, at):
            data |= {name: item.get(name) for name in _CHANGING}
            data["memberIds"] = [each["id"] for each in nodes(item, "members")]
            linked(data, item, "lead", "status")
        health_at = time(item, "healthUpdatedAt")
        if is_untouched(item, at) and (health_at is None or health_at <= at):
            # Its change leaves `updatedAt` as it was.
            data |= {name: item.get(name) for name in ("health", "healthUpdatedAt")}
        data |= own
        return teller.told(action, data, at, fact, updated_from=changed)

    found = [told("create", "created", made, {})]
    status = child(item, "status")
    for name, kind in _STATUSES.items():
        own = time(item, name)
        if own is None:
            continue
        at = same_change(item, own)
        known: Json = {name: item[name], "status": {"type": kind}, "statusId": None}
        if status.get("type") == kind:
            known |= {"status": dict(status), "statusId": status.get("id")}
        found.append(told("update", f"{kind}:{moment(own)}", at, known, {"status": None}))
    ended = time(item, "archivedAt")
    if ended is not None:
        own_time: Json = {"archivedAt": item["archivedAt"]}
        if item.get("trashed"):
            # What it was when it was trashed decides what becomes of it.
            linked(own_time, item, "status")
            gone = {**own_time, "trashed": True}
            found.append(told("remove", f"removed:{moment(ended)}", ended, gone))
        else:
            fact = f"archived:{moment(ended)}"
            found.append(told("update", fact, ended, own_time, {"archivedAt": None}))
    return found


def _of_update(item: Json, organization: str) -> Sequence[Record]:
    made, edited = needed_time(item, "createdAt"), time(item, "editedAt")
    base: Json = {"id": needed_id(item), "createdAt": item["createdAt"]}
    linked(base, item, "user", "project")
    teams = nodes(child(item, "project"), "teams")
    base["infoSnapshot"] = {"teamsInfo": [{"id": each["id"]} for each in teams]}
    if "project" in base:
        base["project"].pop("teams", None)
    teller = Teller("ProjectUpdate", organization, name_of(item, "url"))
    now: Json = {"body": item.get("body"), "health": item.get("health")}
    first: Json = {**base, "updatedAt": moment(made), **(now if edited is None else {})}
    found = [teller.told("create", first, made, "created")]
    if edited is not None:
        at = same_change(item, edited)
        data: Json = {**base, "updatedAt": moment(at), "editedAt": item["editedAt"], **now}
        changed: Json = {"body": None}
        found.append(teller.told("update", data, at, f"edited:{moment(at)}", updated_from=changed))
    return found


_TEAM_LIST = f"teams(first: {_TEAMS}) {{ nodes {{ id }} }}"
PROJECTS = ListWalker(
    "project",
    50,
    "projects",
    "ProjectFilter",
    f"{_PROJECT} {_TEAM_LIST} members(first: {_MEMBERS}) {{ nodes {{ id }} }}",
    where=_projects,
    records=_of_project,
    priced=_PROJECT,
    inner=((_TEAMS, "id"), (_MEMBERS, "id")),
)
PROJECT_UPDATES = ListWalker(
    "project_update",
    50,
    "projectUpdates",
    "ProjectUpdateFilter",
    _UPDATE.replace("project { id name url }", f"project {{ id name url {_TEAM_LIST} }}"),
    where=_updates,
    records=_of_update,
    priced=_UPDATE,
    inner=((_TEAMS, "id"),),
)
