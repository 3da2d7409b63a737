"""Walks cycles: created, completed, archived. The API does not say who did it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from lightfast_pipelines.providers.api_contract import Json, Record
from lightfast_pipelines.providers.fields import time
from lightfast_pipelines.providers.linear.api.listing import ListWalker
from lightfast_pipelines.providers.linear.api.queries import LinearList, moment, within
from lightfast_pipelines.providers.linear.api.records import (
    RecordBuilder,
    copy_links,
    is_unchanged_since,
    needed_id,
    needed_time,
)

_SELECTION = """
id createdAt updatedAt archivedAt completedAt number name description startsAt endsAt
team { id key name }
"""


def _records(item: Json, organization: str) -> Sequence[Record]:
    builder = RecordBuilder("Cycle", organization)
    # When a cycle starts decides whether it has started: today's plan is the best we know.
    lasting: Json = {name: item.get(name) for name in ("id", "createdAt", "number", "startsAt")}
    lasting["id"] = needed_id(item)
    copy_links(lasting, item, "team")

    def record(
        action: str, fact: str, at: datetime, own: Json, updated_from: Json | None = None
    ) -> Record:
        data: Json = {**lasting, "updatedAt": moment(at)}
        if is_unchanged_since(item, at):
            data |= {name: item.get(name) for name in ("name", "description", "endsAt")}
        return builder.record(action, {**data, **own}, at, fact, updated_from=updated_from)

    records = [record("create", "created", needed_time(item, "createdAt"), {})]
    completed_at = time(item, "completedAt")
    for name, fact in (("completedAt", "completed"), ("archivedAt", "archived")):
        at = time(item, name)
        if at is not None:
            own: Json = {name: item[name]}
            if completed_at is not None and completed_at <= at:
                own["completedAt"] = item["completedAt"]
            records.append(record("update", f"{fact}:{moment(at)}", at, own, {name: None}))
    return records


# All of them, as archiving leaves `updatedAt` as it was; a team has some dozens a year.
_LIST = LinearList("cycles", "CycleFilter", lambda place, _: (within(place, ("team", "id")),))
CYCLES = ListWalker("cycle", 100, _LIST, _SELECTION, _records)
