"""Many alike become few: single errors fold into hours, but for the first of an issue and of a regression.

A function of the set of statements of one series; what an hour is, a statement's own source_id says.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import Edge, Occurrence, Statement
from lightfast_pipelines.domain.folding import StatementSource, fold, preference

Tag = TypeVar("Tag", int, str)

_LONGEST_TITLE = 200
_LONGEST_CONTENT = 10_000
_TAG = re.compile(r"^\[[^\]\n]{1,40}\]\s*")
# True of one occurrence, not of an hour of them.
_OF_ONE = frozenset({"eventId", "occurredAt"})


@dataclass(frozen=True, slots=True)
class _Occurred(Generic[Tag]):
    """One occurrence, folded from everything that states it."""

    event_id: str
    statement: Statement
    tags: tuple[Tag, ...]


def settle(
    series: Sequence[tuple[StatementSource, Statement, Tag]],
) -> list[tuple[Statement, tuple[Tag, ...]]]:
    """The observations that a whole series makes, by source_id, each with the tags that state it.

    `series` holds every statement of one `Occurrence.series`: occurrences, and restarts, which only
    say where a stretch begins and are no part of the result. Of an event id stated more than once the
    statements are folded. The earliest occurrence of all and the earliest at or after each restart, by
    time and event id, stand alone (`thing.created`, their source_id ends in the event id); the others
    that share a source_id become one statement with their number in `metadata.count`. Only the
    earliest of all keeps its `caused_by` edges, which say with what the series began.
    Raises ValueError for several series, or for a statement that is of none.
    """
    restarts: set[datetime] = set()
    stated: dict[str, list[tuple[StatementSource, Statement, Tag]]] = defaultdict(list)
    names: set[str] = set()
    for source, statement, tag in series:
        occurrence = _occurrence(statement)
        names.add(occurrence.series)
        if occurrence.restart:
            restarts.add(occurrence.since or statement.occurred_at)
        else:
            stated[occurrence.event_id].append((source, statement, tag))
    if len(names) > 1:
        raise ValueError("settle needs statements of one series")
    occurred = [_fold(event_id, group) for event_id, group in stated.items()]
    occurred.sort(key=lambda one: (one.statement.occurred_at, one.event_id))
    beginnings = sorted(restarts)
    settled: list[tuple[Statement, tuple[Tag, ...]]] = []
    hours: dict[str, list[_Occurred[Tag]]] = defaultdict(list)
    begun: set[int] = set()
    for position, one in enumerate(occurred):
        stretch = bisect_right(beginnings, one.statement.occurred_at)
        if stretch in begun:
            hours[one.statement.source_id].append(one)
        else:
            begun.add(stretch)
            settled.append((_alone(one, is_first=position == 0, restarts=stretch), one.tags))
    settled += ((_counted(group), _union(group)) for group in hours.values())
    return sorted(settled, key=lambda result: result[0].source_id)


def _occurrence(statement: Statement) -> Occurrence:
    if statement.occurrence is None:
        raise ValueError("settle needs statements with an occurrence")
    return statement.occurrence


def _fold(event_id: str, group: Sequence[tuple[StatementSource, Statement, Tag]]) -> _Occurred[Tag]:
    """One occurrence; where its statements disagree on the hour, the preferred one decides."""
    tags = tuple(sorted({tag for _, _, tag in group}))
    if len(group) == 1:
        return _Occurred(event_id, group[0][1], tags)
    ranked = sorted(
        ((source, statement) for source, statement, _ in group),
        key=lambda one: (preference(one), repr(one[1])),
    )
    source_id = ranked[0][1].source_id
    same = [(source, replace(statement, source_id=source_id)) for source, statement in ranked]
    return _Occurred(event_id, fold(same), tags)


def _union(group: Iterable[_Occurred[Tag]]) -> tuple[Tag, ...]:
    return tuple(sorted({tag for one in group for tag in one.tags}))


def _alone(one: _Occurred[Any], *, is_first: bool, restarts: int) -> Statement:
    """`error.occurred` becomes `error.created`. `restarts` is how many came before it."""
    statement = one.statement
    source_type = f"{statement.source_type.partition('.')[0]}.created"
    return replace(
        statement,
        source_id=keys.source_id(_occurrence(statement).series, source_type, one.event_id),
        source_type=source_type,
        edges=statement.edges if is_first else _without_beginning(statement.edges),
        metadata={**statement.metadata, "isRegression": restarts > 0},
    )


def _counted(group: Sequence[_Occurred[Any]]) -> Statement:
    """One statement for all of them, in the words of the earliest."""
    first, last = group[0].statement, group[-1].statement
    count = len(group)
    moments = {"firstSeen": _text(first.occurred_at), "lastSeen": _text(last.occurred_at)}
    thing = first.source_type.partition(".")[0].capitalize()
    title = f"[{thing}s] {count}\N{MULTIPLICATION SIGN} {_TAG.sub('', first.title, count=1)}"
    span = f"Occurrences: {count}, {moments['firstSeen']} to {moments['lastSeen']}"
    kept = {name: value for name, value in first.metadata.items() if name not in _OF_ONE}
    return replace(
        first,
        title=title if len(title) <= _LONGEST_TITLE else title[: _LONGEST_TITLE - 3] + "...",
        content=f"{span}\n{first.content}"[:_LONGEST_CONTENT],
        edges=_without_beginning(first.edges),
        metadata={**kept, "count": count, **moments, "firstEventId": group[0].event_id},
        updated_at=last.updated_at,
    )


def _without_beginning(edges: Iterable[Edge]) -> tuple[Edge, ...]:
    return tuple(edge for edge in edges if edge.type != "caused_by")


def _text(moment: datetime) -> str:
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"
