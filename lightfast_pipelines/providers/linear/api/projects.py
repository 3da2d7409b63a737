"""Walks projects and project updates.

Linear's API keeps no usable history of a project: all we know are the times that the project itself
carries (created, started, completed, canceled, archived), without who did it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from lightfast_pipelines.providers.api_contract import Json, Record
from lightfast_pipelines.providers.fields import child, name_of, time
from lightfast_pipelines.providers.linear.api.listing import ListWalker
from lightfast_pipelines.providers.linear.api.queries import (
    LinearList,
    changed_since,
    moment,
    within,
)
from lightfast_pipelines.providers.linear.api.records import (
    PERSON,
    RecordBuilder,
    copy_links,
    is_unchanged_since,
    needed_id,
    needed_time,
    nodes,
    webhook_time,
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
_TEAM_LIST = f"teams(first: {_TEAMS}) {{ nodes {{ id }} }}"
_STATUS_TIMES = {"startedAt": "started", "completedAt": "completed", "canceledAt": "canceled"}
# May have changed since a project was created, without a fact of its own in the API.
_CHANGEABLE = ("priority", "startDate", "targetDate")

PATHS = (("accessibleTeams", "some", "id"), ("id",))
"""Where a filter of projects names a team that sees the project, or the project itself."""
_UPDATE_PATHS = (("project", "accessibleTeams", "some", "id"), ("project", "id"))


def _project_records(item: Json, organization: str) -> Sequence[Record]:
    created_at = needed_time(item, "createdAt")
    builder = RecordBuilder("Project", organization, name_of(item, "url"))
    lasting: Json = {"id": needed_id(item), "createdAt": item["createdAt"]}
    lasting |= {name: item.get(name) for name in ("name", "description", "slugId", "url")}
    lasting["teamIds"] = [team["id"] for team in nodes(item, "teams")]
    copy_links(lasting, item, "creator")

    def record(
        action: str, fact: str, at: datetime, own: Json, updated_from: Json | None = None
    ) -> Record:
        data: Json = {**lasting, "updatedAt": moment(at)}
        if is_unchanged_since(item, at):
            data |= {name: item.get(name) for name in _CHANGEABLE}
            data["memberIds"] = [member["id"] for member in nodes(item, "members")]
            copy_links(data, item, "lead", "status")
            # A change of health leaves `updatedAt` as it was.
            health_at = time(item, "healthUpdatedAt")
            if health_at is None or health_at <= at:
                data |= {name: item.get(name) for name in ("health", "healthUpdatedAt")}
        data |= own
        return builder.record(action, data, at, fact, updated_from=updated_from)

    records = [record("create", "created", created_at, {})]
    status = child(item, "status")
    for name, kind in _STATUS_TIMES.items():
        reached_at = time(item, name)
        if reached_at is None:
            continue
        own: Json = {name: item[name], "status": {"type": kind}, "statusId": None}
        if status.get("type") == kind:
            own |= {"status": dict(status), "statusId": status.get("id")}
        fact, at = f"{kind}:{moment(reached_at)}", webhook_time(item, reached_at)
        records.append(record("update", fact, at, own, {"status": None}))
    archived_at = time(item, "archivedAt")
    if archived_at is not None:
        own = {"archivedAt": item["archivedAt"]}
        if item.get("trashed"):
            # The status that a project has when it is trashed decides what becomes of it.
            copy_links(own, item, "status")
            own["trashed"] = True
            records.append(record("remove", f"removed:{moment(archived_at)}", archived_at, own))
        else:
            fact = f"archived:{moment(archived_at)}"
            records.append(record("update", fact, archived_at, own, {"archivedAt": None}))
    return records


def _update_records(item: Json, organization: str) -> Sequence[Record]:
    created_at, edited_at = needed_time(item, "createdAt"), time(item, "editedAt")
    lasting: Json = {"id": needed_id(item), "createdAt": item["createdAt"]}
    copy_links(lasting, item, "user", "project")
    teams = nodes(child(item, "project"), "teams")
    lasting["infoSnapshot"] = {"teamsInfo": [{"id": team["id"]} for team in teams]}
    if "project" in lasting:
        lasting["project"].pop("teams", None)
    builder = RecordBuilder("ProjectUpdate", organization, name_of(item, "url"))
    current: Json = {"body": item.get("body"), "health": item.get("health")}
    data: Json = {
        **lasting,
        "updatedAt": moment(created_at),
        **(current if edited_at is None else {}),
    }
    records = [builder.record("create", data, created_at, "created")]
    if edited_at is not None:
        at = webhook_time(item, edited_at)
        data = {**lasting, "updatedAt": moment(at), "editedAt": item["editedAt"], **current}
        fact, updated_from = f"edited:{moment(at)}", {"body": None}
        records.append(builder.record("update", data, at, fact, updated_from=updated_from))
    return records


PROJECTS = ListWalker(
    "project",
    50,
    # All of them: archiving and trashing leave `updatedAt` as it was, no other filter finds them, and
    # projects are few.
    LinearList("projects", "ProjectFilter", lambda place, _: (within(place, *PATHS),)),
    f"{_PROJECT} {_TEAM_LIST} members(first: {_MEMBERS}) {{ nodes {{ id }} }}",
    _project_records,
    fields=_PROJECT,
    inner_lists=((_TEAMS, "id"), (_MEMBERS, "id")),
)
PROJECT_UPDATES = ListWalker(
    "project_update",
    50,
    LinearList(
        "projectUpdates",
        "ProjectUpdateFilter",
        lambda place, window: (
            within(place, *_UPDATE_PATHS),
            changed_since(window, "updatedAt"),
        ),
    ),
    _UPDATE.replace("project { id name url }", f"project {{ id name url {_TEAM_LIST} }}"),
    _update_records,
    fields=_UPDATE,
    inner_lists=((_TEAMS, "id"),),
)
