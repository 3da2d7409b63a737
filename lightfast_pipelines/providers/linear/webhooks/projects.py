"""`Project` and `ProjectUpdate`: what the issues are planned in, and what is reported of it.

`project.created|deleted|restored|archived|unarchived|X-changed` (X: state, name, description,
content, lead, members, teams, start-date, target-date, priority, health) and
`project-update.created|edited|health-changed|deleted`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from lightfast_pipelines.domain.events import Reading, StateChange, Thing
from lightfast_pipelines.domain.linear_names import page_names
from lightfast_pipelines.providers.fields import child, children, name_of, text, url
from lightfast_pipelines.providers.linear import keys as linear_keys
from lightfast_pipelines.providers.linear.accounts import account, author_of, member_of
from lightfast_pipelines.providers.linear.webhooks.changes import Field, day, ids, plain, shown
from lightfast_pipelines.providers.linear.webhooks.event import LinearEvent, linked_id, number_of
from lightfast_pipelines.providers.linear.webhooks.health import health_states, marked
from lightfast_pipelines.providers.linear.webhooks.reports import report_of
from lightfast_pipelines.providers.linear.webhooks.statement_builder import LinearStatementBuilder
from lightfast_pipelines.providers.linear.webhooks.things import line, percent
from lightfast_pipelines.providers.linear.webhooks.transitions import (
    Described,
    EntityKind,
    canceled_by_deletion,
    rules,
)
from lightfast_pipelines.providers.linear.webhooks.transitions import read as read_kind
from lightfast_pipelines.providers.webhook_contract import EventRule

# `state` until 2023, then the type of `status`: the same words.
PROJECT_STATUSES = ("backlog", "planned", "started", "paused", "completed", "canceled")


def read_project(event: LinearEvent) -> Reading:
    """Raises Missing where the payload has no time to speak of, as the others do."""
    return read_kind(_PROJECT, event)


def read_project_update(event: LinearEvent) -> Reading:
    """Raises Missing also where it names no project."""
    return read_kind(_PROJECT_UPDATE, event)


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
    lead_name = name_of(child(data, "lead"), "name")
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
            line("Target", day(data.get("targetDate"))),
            line("Lead", lead_name),
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
            "leadName": lead_name,
            "creatorId": linked_id(data, "creator"),
            "teamIds": list(team_ids),
            "memberIds": list(ids(data.get("memberIds")))[:200],
        },
    )


def _project_states(
    event: LinearEvent, described: Described, transition: str, changed: Field | None, at: datetime
) -> Sequence[StateChange]:
    subject, status = described.builder.subject, _status(event.data)
    if transition == "deleted":
        return canceled_by_deletion(subject, at, 9, was_over=status in ("completed", "canceled"))
    label = changed.label if changed else ""
    found = []
    if status in PROJECT_STATUSES and (transition in ("created", "restored") or label == "state"):
        rank, facts = PROJECT_STATUSES.index(status), {"name": _status_name(event.data)}
        found.append(StateChange(subject, "status", status, at, rank, transition, facts))
    if transition == "created" or label == "health":
        found += health_states(event.data, subject, at, transition)
    return found


_PROJECT = EntityKind(
    thing="project",
    tags=("Project Created", "Project Updated", "Project Deleted"),
    weights=(45, 40),
    fields=(
        Field("trashed", ("trashed",), "deleted", 40, cleared="restored", time="archivedAt"),
        Field("archived", ("archivedAt",), "archived", 20, cleared="unarchived", time="archivedAt"),
        Field("state", ("statusId", "status", "state"), "state-changed", 40, _status_name),
        Field(
            "health",
            ("health",),
            "health-changed",
            35,
            plain("health"),
            shown,
            time="healthUpdatedAt",
        ),
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
_PROJECT_UPDATE = report_of(
    "project",
    alias=linear_keys.project_update_by_id,
    subject=linear_keys.project,
    begins=linear_keys.project_update,
)
RULES: Sequence[EventRule] = (*rules("Project", _PROJECT), *rules("ProjectUpdate", _PROJECT_UPDATE))
