"""The observations of a whole series, computed in the simplest way: from all statements at once."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence

from lightfast_pipelines.domain.events import Statement
from lightfast_pipelines.domain.folding import StatementSource
from lightfast_pipelines.domain.occurrences import alone, counted, fold_occurrence, occurrence_of

# The source, the statement, and the payload that makes it.
Stated = tuple[StatementSource, Statement, int]


def settle(series: Sequence[Stated]) -> list[tuple[Statement, tuple[int, ...]]]:
    """The observations of a series by source_id, each with the payloads that state it."""
    restarts = set()
    stated: dict[str, list[Stated]] = defaultdict(list)
    for item in series:
        occurrence = occurrence_of(item[1])
        if occurrence.restart:
            restarts.add(occurrence.since or item[1].occurred_at)
        else:
            stated[occurrence.event_id].append(item)
    events = [
        (fold_occurrence([(source, statement) for source, statement, _ in group]), group)
        for group in stated.values()
    ]
    events.sort(key=lambda event: (event[0].occurred_at, occurrence_of(event[0]).event_id))
    beginnings = sorted(restarts)
    begun: set[int] = set()
    settled: list[tuple[Statement, tuple[int, ...]]] = []
    hours: dict[str, list[tuple[Statement, list[Stated]]]] = defaultdict(list)
    for position, (statement, group) in enumerate(events):
        stretch = bisect_right(beginnings, statement.occurred_at)
        if stretch in begun:
            hours[statement.source_id].append((statement, group))
        else:
            begun.add(stretch)
            single = alone(statement, is_first=position == 0, is_regression=stretch > 0)
            settled.append((single, _payloads(group)))
    settled += (
        (
            counted(members[0][0], len(members), members[-1][0].occurred_at),
            _payloads([item for _, group in members for item in group]),
        )
        for members in hours.values()
    )
    return sorted(settled, key=lambda result: result[0].source_id)


def _payloads(group: Sequence[Stated]) -> tuple[int, ...]:
    return tuple(sorted({payload for _, _, payload in group}))
