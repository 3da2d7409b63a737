"""Folds recurring errors into hours, except the first of an issue and the first of each regression.

A series is everything that recurs under one key. The earliest occurrence of all and the earliest at or
after each restart, by time and event id, stand alone; the others are counted by hour (the source_id of a
statement names its hour). `capture/series.py` finds out which occurrences there are; here they become
observations.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from msgspec.structs import replace

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import Edge, Occurrence, Statement
from lightfast_pipelines.domain.folding import StatementSource, fold, preference

_LONGEST_TITLE = 200
_LONGEST_CONTENT = 10_000
_TAG = re.compile(r"^\[[^\]\n]{1,40}\]\s*")
# Metadata of a single occurrence, which an hour does not have.
_OF_SINGLE = frozenset({"eventId", "occurredAt"})


def occurrence_of(statement: Statement) -> Occurrence:
    """Raises ValueError for a statement that belongs to no series."""
    if statement.occurrence is None:
        raise ValueError("this statement belongs to no series")
    return statement.occurrence


def fold_occurrence(stated: Sequence[tuple[StatementSource, Statement]]) -> Statement:
    """Folds all statements of one occurrence; the preferred one decides which hour it belongs to."""
    if len(stated) == 1:
        return stated[0][1]
    ranked = sorted(stated, key=lambda pair: (preference(pair), repr(pair[1])))
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

    Only the first of the whole series keeps its `caused_by` edges, which say what the series began with.
    """
    return replace(
        statement,
        source_id=alone_id(statement),
        source_type=_alone_type(statement),
        edges=statement.edges if is_first else _without_beginning(statement.edges),
        metadata={**statement.metadata, "isRegression": is_regression},
    )


def counted(first: Statement, count: int, last_at: datetime) -> Statement:
    """The observation of an hour: the text of its earliest occurrence, how many there were, until when."""
    moments = {"firstSeen": _text(first.occurred_at), "lastSeen": _text(last_at)}
    kind = first.source_type.partition(".")[0].capitalize()
    title = f"[{kind}s] {count}\N{MULTIPLICATION SIGN} {_TAG.sub('', first.title, count=1)}"
    span = f"Occurrences: {count}, {moments['firstSeen']} to {moments['lastSeen']}"
    kept = {name: value for name, value in first.metadata.items() if name not in _OF_SINGLE}
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
