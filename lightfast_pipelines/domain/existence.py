"""When a thing is deleted, and what then becomes of its other states: they end.

A deletion is itself a state, `existence: deleted`, which a later fact about the same thing ends. The
result depends on the set of facts alone, on both clocks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from lightfast_pipelines.domain.states import StateFact, StateInterval, history

STATE_TYPE = "existence"
DELETED = "deleted"
EXISTS = "exists"


def deletions(
    facts: Collection[StateFact], of_status: Collection[StateFact]
) -> list[StateInterval]:
    """When the thing is deleted, from what is stated of its existence and of its status.

    A change of status that the deletion does not state itself shows that the thing is there again.
    """
    deleting = deleting_ids(facts)
    there = [replace(fact, value=EXISTS) for fact in of_status if fact.source_id not in deleting]
    return [one for one in history([*facts, *there]) if one.value == DELETED]


def deleting_ids(facts: Iterable[StateFact]) -> frozenset[str]:
    """Observations that state a deletion."""
    return frozenset(fact.source_id for fact in facts if fact.value == DELETED)


def ended(
    intervals: Iterable[StateInterval], gone: Collection[StateInterval], own_values: Collection[str]
) -> list[StateInterval]:
    """The intervals without the time in which the thing is deleted.

    Values that the deletion itself states (`closed`) go on. What was believed before the deletion was
    known stays as it was believed.
    """
    found = list(intervals)
    for hole in gone:
        found = [
            piece
            for one in found
            for piece in ([one] if one.value in own_values else _without(one, hole))
        ]
    return found


def _without(one: StateInterval, hole: StateInterval) -> Iterator[StateInterval]:
    """What is left of a rectangle (when it held, when it was believed) outside of another."""
    known = max(one.recorded_at, hole.recorded_at)
    until = _earlier(one.superseded_at, hole.superseded_at)
    start = max(one.valid_from, hole.valid_from)
    end = _earlier(one.valid_to, hole.valid_to)
    if (until is not None and until <= known) or (end is not None and end <= start):
        yield one
        return
    if one.recorded_at < known:
        yield _piece(one, one.valid_from, one.valid_to, one.recorded_at, known)
    if one.valid_from < start:
        yield _piece(one, one.valid_from, start, known, until)
    if end is not None and (one.valid_to is None or end < one.valid_to):
        yield _piece(one, end, one.valid_to, known, until)
    if until is not None and (one.superseded_at is None or until < one.superseded_at):
        yield _piece(one, one.valid_from, one.valid_to, until, one.superseded_at)


def _piece(
    one: StateInterval,
    valid_from: datetime,
    valid_to: datetime | None,
    recorded_at: datetime,
    superseded_at: datetime | None,
) -> StateInterval:
    return replace(
        one,
        valid_from=valid_from,
        valid_to=valid_to,
        is_current=valid_to is None and superseded_at is None,
        recorded_at=recorded_at,
        superseded_at=superseded_at,
    )


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
