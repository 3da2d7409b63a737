"""Finds when an entity is deleted, and ends its other states then.

A deletion is itself a state, `existence: deleted`, which a later fact about the same entity ends. The
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
    """The intervals in which the entity is deleted, from the facts about its existence and its status.

    A change of status that the deletion itself does not state shows that the entity exists again.
    """
    deleting = deleting_ids(facts)
    existing = [replace(fact, value=EXISTS) for fact in of_status if fact.source_id not in deleting]
    return [interval for interval in history([*facts, *existing]) if interval.value == DELETED]


def deleting_ids(facts: Iterable[StateFact]) -> frozenset[str]:
    """The source_ids of the observations that state a deletion."""
    return frozenset(fact.source_id for fact in facts if fact.value == DELETED)


def ended(
    intervals: Iterable[StateInterval],
    deletions: Collection[StateInterval],
    own_values: Collection[str],
) -> list[StateInterval]:
    """The intervals, minus the time in which the entity is deleted.

    Values that the deletion itself states (`closed`) continue. What was believed before the deletion
    was known does not change.
    """
    remaining = list(intervals)
    for deletion in deletions:
        remaining = [
            piece
            for interval in remaining
            for piece in (
                [interval] if interval.value in own_values else _without(interval, deletion)
            )
        ]
    return remaining


def _without(interval: StateInterval, deletion: StateInterval) -> Iterator[StateInterval]:
    """What remains of a rectangle (when it held, when that was believed) outside of another."""
    since = max(interval.recorded_at, deletion.recorded_at)
    until = _earlier(interval.superseded_at, deletion.superseded_at)
    start = max(interval.valid_from, deletion.valid_from)
    end = _earlier(interval.valid_to, deletion.valid_to)
    if (until is not None and until <= since) or (end is not None and end <= start):
        yield interval
        return
    if interval.recorded_at < since:
        yield _piece(interval, interval.valid_from, interval.valid_to, interval.recorded_at, since)
    if interval.valid_from < start:
        yield _piece(interval, interval.valid_from, start, since, until)
    if end is not None and (interval.valid_to is None or end < interval.valid_to):
        yield _piece(interval, end, interval.valid_to, since, until)
    if until is not None and (interval.superseded_at is None or until < interval.superseded_at):
        yield _piece(
            interval, interval.valid_from, interval.valid_to, until, interval.superseded_at
        )


def _piece(
    interval: StateInterval,
    valid_from: datetime,
    valid_to: datetime | None,
    recorded_at: datetime,
    superseded_at: datetime | None,
) -> StateInterval:
    return replace(
        interval,
        valid_from=valid_from,
        valid_to=valid_to,
        is_current=valid_to is None and superseded_at is None,
        recorded_at=recorded_at,
        superseded_at=superseded_at,
    )


def _earlier(first: datetime | None, second: datetime | None) -> datetime | None:
    if first is None or second is None:
        return second if first is None else first
    return min(first, second)
