"""`Cycle`: `cycle.created|completed|reopened|archived|unarchived|deleted|X-changed` (X: name, description, start, end).

The issues say which cycle they are in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lightfast_pipelines.domain.events import StateChange, Thing
from lightfast_pipelines.providers.fields import child, name_of, text, time
from lightfast_pipelines.providers.linear import keys as linear_keys
from lightfast_pipelines.providers.linear.webhooks.changes import Field, archived, day, shown
from lightfast_pipelines.providers.linear.webhooks.event import LinearEvent, linked_id, number_of
from lightfast_pipelines.providers.linear.webhooks.statement_builder import LinearStatementBuilder
from lightfast_pipelines.providers.linear.webhooks.things import cycle_name, line, percent
from lightfast_pipelines.providers.linear.webhooks.transitions import (
    Described,
    EntityKind,
    LinearTransition,
    canceled_by_deletion,
)


def _describe(event: LinearEvent) -> Described:
    data = event.data
    shown_as = cycle_name(data)
    team, team_id = child(data, "team"), linked_id(data, "team")
    team_name = name_of(team, "name")
    subject = Thing(linear_keys.cycle(event.id), shown_as, event.url)
    builder = LinearStatementBuilder(subject)
    builder.refer("cycle", shown_as or event.id, event.url)
    builder.add_team(team_id, team)
    progress, scope = percent(data), number_of(data, "scope")
    return Described(
        subject.key,
        builder,
        f"{shown_as or 'Cycle'}{f' ({team_name})' if team_name else ''}",
        (
            shown_as,
            text(data, "description"),
            line("Team", team_name),
            line("Starts", day(data.get("startsAt"))),
            line("Ends", day(data.get("endsAt"))),
            line("Progress", progress),
            line("Scope", None if scope is None else str(scope)),
        ),
        None,
        {
            "cycleId": event.id,
            "cycleNumber": number_of(data, "number"),
            "cycleName": name_of(data, "name"),
            "teamId": team_id,
            "teamKey": name_of(team, "key"),
            "teamName": team_name,
            "startsAt": name_of(data, "startsAt"),
            "endsAt": name_of(data, "endsAt"),
            "completedAt": name_of(data, "completedAt"),
            "progress": number_of(data, "progress"),
            "scope": scope,
        },
    )


def _states(
    data: Mapping[str, Any], subject: Thing, transition: LinearTransition
) -> Sequence[StateChange]:
    """Linear sends no event when a cycle starts, so a later event shows that it has started."""
    name, at = transition.name, transition.at
    starts, is_completed = time(data, "startsAt"), time(data, "completedAt") is not None
    has_started = starts is not None and starts <= at
    if name == "created":
        value = "started" if has_started else "upcoming"
        return (StateChange(subject, "status", value, at, 0, name),)
    if name == "deleted":
        return canceled_by_deletion(subject, at, 3, was_over=is_completed)
    if name == "completed":
        return (StateChange(subject, "status", "completed", at, 2, name),)
    if name == "reopened":
        return (StateChange(subject, "status", "started", at, 1, name),)
    if starts is not None and has_started and not is_completed:
        return (StateChange(subject, "status", "started", starts, 1, "started"),)
    return ()


CYCLE = EntityKind(
    thing="cycle",
    tags=("Cycle Created", "Cycle Updated", "Cycle Deleted"),
    weights=(40, 35),
    fields=(
        Field("completed", ("completedAt",), "completed", 40, cleared="reopened", time="completedAt"),
        archived(20),
        Field("name", ("name",), "name-changed", 25, was=shown),
        Field("description", ("description",), "description-changed", 20),
        Field("start", ("startsAt",), "start-changed", 30, lambda d: day(d.get("startsAt")), day),
        Field("end", ("endsAt",), "end-changed", 30, lambda d: day(d.get("endsAt")), day),
    ),
    describe=_describe,
    states=_states,
)  # fmt: skip
