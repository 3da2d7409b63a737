"""Walks cycles: that one was made, completed, archived. Who did it, the API does not tell."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from lightfast_pipelines.providers.api_contract import Json, LinkedResource, Record, Window
from lightfast_pipelines.providers.fields import time
from lightfast_pipelines.providers.linear.api import queries
from lightfast_pipelines.providers.linear.api.listing import ListWalker
from lightfast_pipelines.providers.linear.api.queries import moment
from lightfast_pipelines.providers.linear.api.records import (
    Teller,
    is_untouched,
    linked,
    needed_id,
    needed_time,
)

_SELECTION = """
id createdAt updatedAt archivedAt completedAt number name description startsAt endsAt
team { id key name }
"""


def _where(place: LinkedResource, window: Window) -> Sequence[Json | None]:  # noqa: ARG001
    """All of them: an archived one keeps its `updatedAt`; a team has some dozens a year."""
    return (queries.of_place(place, ("team", "id")),)


def _records(item: Json, organization: str) -> Sequence[Record]:
    made, teller = needed_time(item, "createdAt"), Teller("Cycle", organization)
    # When it starts decides whether it has started: the plan as it stands is the best that is known.
    base: Json = {name: item.get(name) for name in ("id", "createdAt", "number", "startsAt")} | {
        "id": needed_id(item)
    }
    linked(base, item, "team")

    def told(
        action: str, fact: str, at: datetime, own: Json, changed: Json | None = None
    ) -> Record:
        data: Json = {**base, "updatedAt": moment(at)}
        if is_untouched(item, at):
            data |= {name: item.get(name) for name in ("name", "description", "endsAt")}
        return teller.told(action, {**data, **own}, at, fact, updated_from=changed)

    found = [told("create", "created", made, {})]
    done = time(item, "completedAt")
    for name, fact in (("completedAt", "completed"), ("archivedAt", "archived")):
        at = time(item, name)
        if at is not None:
            own: Json = {name: item[name]}
            if done is not None and done <= at:
                own["completedAt"] = item["completedAt"]
            found.append(told("update", f"{fact}:{moment(at)}", at, own, {name: None}))
    return found


CYCLES = ListWalker(
    "cycle", 100, "cycles", "CycleFilter", _SELECTION, where=_where, records=_records
)
