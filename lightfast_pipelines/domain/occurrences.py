"""Many alike become few: single errors fold into hours, but for the first of an issue and of a regression.

A series is everything that recurs under one key. The earliest occurrence of all and the earliest at or
after each restart, by time and event id, stand alone; the others are counted by hour (what an hour is, a
statement's own source_id says). Which occurrences there are is kept by `capture/series.py`; here stands
what is made of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import Edge, Occurrence, Statement
from lightfast_pipelines.domain.folding import StatementSource, fold, preference

_LONGEST_TITLE = 200
_LONGEST_CONTENT = 10_000
_TAG = re.compile(r"^\[[^\]\n]{1,40}\]\s*")
# True of one occurrence, not of an hour of them.
_OF_ONE = frozenset({"eventId", "occurredAt"})


def occurrence_of(statement: Statement) -> Occurrence:
    """Raises ValueError for a statement that is of no series."""
    if statement.occurrence is None:
        raise ValueError("this statement is of no series")
    return statement.occurrence


def fold_occurrence(stated: Sequence[tuple[StatementSource, Statement]]) -> Statement:
    """One occurrence from all that states it; where they disagree on the hour, the preferred one decides."""
    if len(stated) == 1:
        return stated[0][1]
    ranked = sorted(stated, key=lambda one: (preference(one), repr(one[1])))
    source_id = ranked[0][1].source_id
    return fold([(source, replace(statement, source_id=source_id)) for source, statement in ranked])


def alone_id(statement: Statement) -> str:
    """The source_id of an occurrence where it stands alone.

    `error.occurred` of `sentry:issue:9:1` with event id a: `sentry:issue:9:1|error.created|a`
    """
    occurrence = occurrence_of(statement)
    return keys.source_id(occurrence.series, _alone_type(statement), occurrence.event_id)


def alone(statement: Statement, *, is_first: bool, is_regression: bool) -> Statement:
    """The observation of an occurrence that stands alone: `error.occurred` becomes `error.created`.

    Only the first of the whole series keeps its `caused_by` edges, which say with what it began.
    """
    return replace(
        statement,
        source_id=alone_id(statement),
        source_type=_alone_type(statement),
        edges=statement.edges if is_first else _without_beginning(statement.edges),
        metadata={**statement.metadata, "isRegression": is_regression},
    )


def counted(first: Statement, count: int, last_at: datetime) -> Statement:
    """The observation of an hour's occurrences: how many, until when, in the words of the earliest."""
    moments = {"firstSeen": _text(first.occurred_at), "lastSeen": _text(last_at)}
    thing = first.source_type.partition(".")[0].capitalize()
    title = f"[{thing}s] {count}\N{MULTIPLICATION SIGN} {_TAG.sub('', first.title, count=1)}"
    span = f"Occurrences: {count}, {moments['firstSeen']} to {moments['lastSeen']}"
    kept = {name: value for name, value in first.metadata.items() if name not in _OF_ONE}
    first_id = occurrence_of(first).event_id
    return replace(
        first,
        title=title if len(title) <= _LONGEST_TITLE else title[: _LONGEST_TITLE - 3] + "...",
        content=f"{span}\n{first.content}"[:_LONGEST_CONTENT],
        edges=_without_beginning(first.edges),
        metadata={**kept, "count": count, **moments, "firstEventId": first_id},
    )


def _alone_type(statement: Statement) -> str:
    return f"{statement.source_type.partition('.')[0]}.created"


def _without_beginning(edges: Iterable[Edge]) -> tuple[Edge, ...]:
    return tuple(edge for edge in edges if edge.type != "caused_by")


def _text(moment: datetime) -> str:
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"
