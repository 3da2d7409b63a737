"""`Project` and `ProjectUpdate`: a project of issues, and reports on its progress.

`project.created|deleted|restored|archived|unarchived|X-changed` (X: state, name, description,
content, lead, members, teams, start-date, target-date, priority, health) and
`project-update.created|edited|health-changed|deleted`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lightfast_pipelines.domain.events import StateChange, Thing
from lightfast_pipelines.domain.linear_names import page_names
from lightfast_pipelines.providers.fields import child, children, name_of, text, url
from lightfast_pipelines.providers.linear import keys as linear_keys
from lightfast_pipelines.providers.linear.accounts import account, author_of, member_of
from lightfast_pipelines.providers.linear.webhooks.changes import (
    Field,
    archived,
    day,
    health,
    ids,
    plain,
    shown,
    trashed,
)
from lightfast_pipelines.providers.linear.webhooks.event import LinearEvent, linked_id, number_of
from lightfast_pipelines.providers.linear.webhooks.health import health_states, marked
from lightfast_pipelines.providers.linear.webhooks.reports import report_of
from lightfast_pipelines.providers.linear.webhooks.statement_builder import LinearStatementBuilder
from lightfast_pipelines.providers.linear.webhooks.things import line, percent
from lightfast_pipelines.providers.linear.webhooks.transitions import (
    Described,
    EntityKind,
    LinearTransition,
    canceled_by_deletion,
)

# The field `state` until 2023, then the type of `status`, with the same values.
_STATUSES = ("backlog", "planned", "started", "paused", "completed", "canceled")


def _status(data: Mapping[str, Any]) -> str | None:
    return name_of(child(data, "status"), "type") or name_of(data, "state")


def _status_name(data: Mapping[str, Any]) -> str | None:
    return name_of(child(data, "status"), "name") or name_of(data, "state")


def _lead(data: Mapping[str, Any]) -> str | None:
    return name_of(child(data, "lead"), "name")


def _starts(data: Mapping[str, Any]) -> str | None:
    return day(data.get("startDate"))


def _target(data: Mapping[str, Any]) -> str | None:
    return day(data.get("targetDate"))


def _project(event: LinearEvent) -> Described:
    data = event.data
    name = name_of(data, "name") or ""
    address = event.url or url(data, "url")
    subject = Thing(linear_keys.project(event.id), name or None, address, page_names(address))
    lead = member_of(data, "lead")
    team_ids = ids(data.get("teamIds"))
    builder = LinearStatementBuilder(subject)
    builder.refer("project", name or event.id, subject.url)
    builder.add_person("lead", lead)
    for member_id in ids(data.get("memberIds"))[:50]:
        builder.add_person("member", account({}, member_id), is_referred=False)
    for team_id in team_ids:
        builder.add_team(team_id, {})
    for initiative in children(data, "initiatives"):
        builder.add_initiative(initiative)
    return Described(
        subject.key,
        builder,
        f"Project: {name}",
        (
            name,
            text(data, "description"),
            text(data, "content"),
            line("State", _status_name(data)),
            line("Progress", percent(data)),
            line("Target", _target(data)),
            line("Lead", _lead(data)),
            line("Health", marked(data)),
        ),
        author_of(data, "creator"),
        {
            "projectId": event.id,
            "projectName": name or None,
            "slugId": name_of(data, "slugId"),
            "state": _status(data),
            "stateName": _status_name(data),
            "health": name_of(data, "health"),
            "progress": number_of(data, "progress"),
            "scope": number_of(data, "scope"),
            "targetDate": name_of(data, "targetDate"),
            "startDate": name_of(data, "startDate"),
            "startedAt": name_of(data, "startedAt"),
            "completedAt": name_of(data, "completedAt"),
            "canceledAt": name_of(data, "canceledAt"),
            "leadId": lead and lead.source_id,
            "leadName": _lead(data),
            "creatorId": linked_id(data, "creator"),
            "teamIds": list(team_ids),
            "memberIds": list(ids(data.get("memberIds")))[:200],
        },
    )


def _project_states(
    data: Mapping[str, Any], subject: Thing, transition: LinearTransition
) -> Sequence[StateChange]:
    name, at, status = transition.name, transition.at, _status(data)
    if name == "deleted":
        return canceled_by_deletion(subject, at, 9, was_over=status in ("completed", "canceled"))
    states = []
    if status in _STATUSES and (name in ("created", "restored") or transition.field == "state"):
        rank, facts = _STATUSES.index(status), {"name": _status_name(data)}
        states.append(StateChange(subject, "status", status, at, rank, name, facts))
    if name == "created" or transition.field == "health":
        states += health_states(data, subject, at, name)
    return states


PROJECT = EntityKind(
    thing="project",
    tags=("Project Created", "Project Updated", "Project Deleted"),
    weights=(45, 40),
    fields=(
        trashed(40),
        archived(20),
        Field("state", ("statusId", "status", "state"), "state-changed", 40, _status_name),
        health("healthUpdatedAt"),
        Field("name", ("name",), "name-changed", 25, was=shown),
        Field("description", ("description",), "description-changed", 25),
        Field("content", ("content", "contentState"), "content-changed", 25),
        Field("lead", ("leadId", "lead"), "lead-changed", 30, _lead),
        Field("members", ("memberIds",), "members-changed", 20),
        Field("teams", ("teamIds",), "teams-changed", 25),
        Field("priority", ("priority",), "priority-changed", 25, plain("priority"), shown),
        Field("start date", ("startDate",), "start-date-changed", 25, _starts, day),
        Field("target date", ("targetDate",), "target-date-changed", 30, _target, day),
    ),
    describe=_project,
    states=_project_states,
)  # fmt: skip
PROJECT_UPDATE = report_of(
    "project",
    alias=linear_keys.project_update_by_id,
    subject=linear_keys.project,
    begins=linear_keys.project_update,
)
