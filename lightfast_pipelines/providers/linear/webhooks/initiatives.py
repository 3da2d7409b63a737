"""`Initiative` and `InitiativeUpdate`: a goal that projects serve, and reports on its progress.

`initiative.created|deleted|restored|archived|unarchived|X-changed` (X: status, health, name,
description, owner, target-date) and `initiative-update.created|edited|health-changed|deleted`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lightfast_pipelines.domain.events import StateChange, Thing
from lightfast_pipelines.domain.linear_names import page_names
from lightfast_pipelines.providers.fields import child, children, name_of, text, url
from lightfast_pipelines.providers.linear import keys as linear_keys
from lightfast_pipelines.providers.linear.accounts import author_of, member_of
from lightfast_pipelines.providers.linear.webhooks.changes import (
    Field,
    archived,
    day,
    health,
    shown,
    trashed,
)
from lightfast_pipelines.providers.linear.webhooks.event import LinearEvent, linked_id
from lightfast_pipelines.providers.linear.webhooks.health import health_states, marked
from lightfast_pipelines.providers.linear.webhooks.reports import report_of
from lightfast_pipelines.providers.linear.webhooks.statement_builder import LinearStatementBuilder
from lightfast_pipelines.providers.linear.webhooks.things import line
from lightfast_pipelines.providers.linear.webhooks.transitions import (
    Described,
    EntityKind,
    LinearTransition,
    canceled_by_deletion,
)

_STATUSES = ("proposed", "planned", "active", "completed", "canceled")


def _status(data: Mapping[str, Any]) -> str | None:
    """Webhooks spell it `Active`, the settings of Linear's application `active`."""
    status = (name_of(data, "status") or "").lower()
    return status if status in _STATUSES else None


def _owner(data: Mapping[str, Any]) -> str | None:
    return name_of(child(data, "owner"), "name")


def _target(data: Mapping[str, Any]) -> str | None:
    return day(data.get("targetDate"))


def _initiative(event: LinearEvent) -> Described:
    data = event.data
    name = name_of(data, "name") or ""
    address = event.url or url(data, "url")
    subject = Thing(linear_keys.initiative(event.id), name or None, address, page_names(address))
    owner = member_of(data, "owner")
    builder = LinearStatementBuilder(subject)
    builder.refer("initiative", name or event.id, subject.url)
    builder.add_person("owner", owner)
    for project in children(data, "projects"):
        project_id = name_of(project, "id")
        if project_id is not None:
            key = linear_keys.project(project_id)
            thing = Thing(key, name_of(project, "name"), url(project, "url"))
            builder.relate_from(thing, "belongs_to", "project")
    parents = children(data, "parentInitiatives") or [child(data, "parentInitiative")]
    for parent in parents:
        parent_id = name_of(parent, "id")
        if parent_id is not None:
            key = linear_keys.initiative(parent_id)
            builder.relate(
                "parent", Thing(key, name_of(parent, "name"), url(parent, "url")), "parent"
            )
    return Described(
        subject.key,
        builder,
        f"Initiative: {name}",
        (
            name,
            text(data, "description"),
            line("Status", _status(data)),
            line("Health", marked(data)),
            line("Target", _target(data)),
            line("Owner", _owner(data)),
        ),
        author_of(data, "creator"),
        {
            "initiativeId": event.id,
            "initiativeName": name or None,
            "slugId": name_of(data, "slugId"),
            "status": _status(data),
            "health": name_of(data, "health"),
            "targetDate": name_of(data, "targetDate"),
            "startedAt": name_of(data, "startedAt"),
            "completedAt": name_of(data, "completedAt"),
            "ownerId": owner and owner.source_id,
            "ownerName": _owner(data),
            "creatorId": linked_id(data, "creator"),
        },
    )


def _initiative_states(
    data: Mapping[str, Any], subject: Thing, transition: LinearTransition
) -> Sequence[StateChange]:
    name, at, status = transition.name, transition.at, _status(data)
    if name == "deleted":
        return canceled_by_deletion(subject, at, 9, was_over=status in ("completed", "canceled"))
    states = []
    if status and (name in ("created", "restored") or transition.field == "status"):
        states.append(StateChange(subject, "status", status, at, _STATUSES.index(status), name))
    if name == "created" or transition.field == "health":
        states += health_states(data, subject, at, name)
    return states


INITIATIVE = EntityKind(
    thing="initiative",
    tags=("Initiative Created", "Initiative Updated", "Initiative Deleted"),
    weights=(45, 40),
    fields=(
        trashed(40),
        archived(20),
        Field("status", ("status",), "status-changed", 40, _status, shown),
        health("healthUpdatedAt"),
        Field("name", ("name",), "name-changed", 25, was=shown),
        Field("description", ("description",), "description-changed", 25),
        Field("owner", ("ownerId", "owner"), "owner-changed", 30, _owner),
        Field("target date", ("targetDate",), "target-date-changed", 30, _target, day),
    ),
    describe=_initiative,
    states=_initiative_states,
)  # fmt: skip
INITIATIVE_UPDATE = report_of(
    "initiative",
    alias=linear_keys.initiative_update_by_id,
    subject=linear_keys.initiative,
    begins=linear_keys.initiative_update,
)
