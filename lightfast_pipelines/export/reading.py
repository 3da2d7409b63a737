"""Reads the views: what each day holds, as a hash, and the rows of the days that changed.

Whoever calls it holds one transaction for the whole export, so both see the same rows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from struct import Struct
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.pq import Format

from lightfast_pipelines.export.schemas import (
    CONDITIONS,
    DAY,
    POSTGRES_TYPES,
    ExportedView,
    arrow_schema,
)
from lightfast_pipelines.store.database import Connection

if TYPE_CHECKING:
    import pyarrow as pa

Day = date | None
"""The day of a file; None for the one file of a view without a main time."""

UNDATED = date.min
"""The day of rows whose main time is not known. A null would keep pandas from reading the folder."""

_LAST = "9999-12-31 23:59:59.999999+00"
_FIRST = "0001-01-01 00:00:00+00"
_MIDNIGHT = "::timestamp AT TIME ZONE 'UTC'"
# A row of an observation may have 10,000 characters; this many are held at once, more than once.
_FETCHED_ROWS = 1_000


@dataclass(frozen=True, slots=True)
class Bounds:
    """The days to export, both included; None: without bound. Views without a main time have none."""

    since: date | None = None
    until: date | None = None

    def __contains__(self, day: object) -> bool:
        if not isinstance(day, date):
            return True
        return (self.since is None or day >= self.since) and (
            self.until is None or day <= self.until
        )


@dataclass(frozen=True, slots=True)
class Content:
    """What a file holds or should hold: how many rows, and a hash of them in any order."""

    rows: int
    hash: str


def read_contents(
    conn: Connection, view: ExportedView, workspaces: Sequence[int], bounds: Bounds
) -> dict[int, dict[Day, Content]]:
    """What the view holds of each workspace and day.

    It reads all rows within the bounds, in Postgres alone. Nothing less would be sound: a merge of two
    people, a new name or a deletion changes rows of any day and leaves no mark in them.
    """
    row = f"ROW({', '.join(_selected(view))})::text"
    conditions, parameters = _conditions(view, bounds)
    # OFFSET 0: without it the planner computes each row once for each of the two hashes.
    rows = conn.execute(
        f"""
        SELECT workspace_id, day, count(*), sum(hashtextextended(written, 0)::numeric)::text,
               sum(hashtextextended(written, 1)::numeric)::text
        FROM (
          SELECT workspace_id, {_day(view)} AS day, {row} AS written FROM lightfast."{view.name}"
          WHERE workspace_id = ANY(%(workspaces)s){conditions} OFFSET 0
        ) r
        GROUP BY 1, 2
        """,
        {**parameters, "workspaces": list(workspaces)},
        binary=True,
    )
    found: dict[int, dict[Day, Content]] = {workspace: {} for workspace in workspaces}
    for workspace, day, count, one, two in rows:
        found[workspace][day] = Content(count, f"{one}:{two}")
    return found


def read_days(
    conn: Connection, view: ExportedView, workspace_id: int, days: Collection[Day]
) -> Iterator[tuple[Day, Iterator[pa.Table]]]:
    """Each of these days with its rows, a bounded number at a time, in the order of the main time."""
    dated = sorted(day for day in days if day is not None and day != UNDATED)
    # Apart, as nulls are sorted after all times.
    if UNDATED in days:
        yield from _read(conn, view, workspace_id, [UNDATED])
    if dated or view.main_time is None:
        yield from _read(conn, view, workspace_id, dated)


def _read(
    conn: Connection, view: ExportedView, workspace_id: int, days: Sequence[date]
) -> Iterator[tuple[Day, Iterator[pa.Table]]]:
    conditions, parameters = _conditions(view, Bounds(days[0], days[-1]) if days else Bounds())
    if view.main_time:
        conditions += f' AND {_day(view)} = ANY(%(days)s) ORDER BY "{view.main_time}"'
    with psycopg.ServerCursor(conn, "exported_rows") as cursor:
        cursor.adapters.register_loader("timestamptz", _Microseconds)
        cursor.adapters.register_loader("date", _Days)
        cursor.execute(
            f"""
            SELECT {", ".join(_selected(view))}, {_day(view)} - DATE '1970-01-01'
            FROM lightfast."{view.name}" WHERE workspace_id = %(workspace)s{conditions}
            """,
            {**parameters, "workspace": workspace_id, "days": list(days)},
            binary=True,
        )
        chunks = iter(lambda: cursor.fetchmany(_FETCHED_ROWS), [])
        parts = ((day, list(rows)) for chunk in chunks for day, rows in _by_day(chunk))
        for day, same_day in groupby(parts, key=lambda part: part[0]):
            yield _date(day), (_table(view, rows) for _, rows in same_day)


def _selected(view: ExportedView) -> list[str]:
    """The columns of the view that its files have, cast to what the files can hold."""
    return [
        f'"{column.name}"::{POSTGRES_TYPES[column.type]}'
        for column in view.file_columns
        if not column.is_gone
    ]


def _day(view: ExportedView) -> str:
    """The day of a row. A time that Python cannot hold counts as the first or the last that it can."""
    if view.main_time is None:
        return "NULL::date"
    if view.main_time == DAY:
        return f"coalesce({DAY}, '{UNDATED.isoformat()}')"
    # GREATEST passes over a null, so a row without a time is of UNDATED.
    time = f"least(greatest(\"{view.main_time}\", '{_FIRST}'), '{_LAST}')"
    return f"({time} AT TIME ZONE 'UTC')::date"


def _conditions(view: ExportedView, bounds: Bounds) -> tuple[str, Mapping[str, date]]:
    """What to add to WHERE, and its parameters; on the column itself, so that an index serves it."""
    parts = [CONDITIONS[view.name]] if view.name in CONDITIONS else []
    parameters: dict[str, date] = {}
    time, midnight = f'"{view.main_time}"', "" if view.main_time == DAY else _MIDNIGHT
    takes_undated = bounds.since is None or bounds.since == UNDATED
    if view.main_time and bounds.since is not None and not takes_undated:
        parts.append(f"{time} >= %(since)s::date{midnight}")
        parameters["since"] = bounds.since
    if view.main_time and bounds.until is not None and bounds.until < date.max:
        or_null = f" OR {time} IS NULL" if takes_undated else ""
        parts.append(f"({time} < %(until)s::date{midnight}{or_null})")
        parameters["until"] = bounds.until + timedelta(days=1)
    return "".join(f" AND {part}" for part in parts), parameters


def _by_day(rows: Sequence[tuple[Any, ...]]) -> Iterator[tuple[int | None, Iterator[Any]]]:
    return groupby(rows, key=lambda row: row[-1])


def _date(days: int | None) -> Day:
    return None if days is None else date(1970, 1, 1) + timedelta(days=days)


def _table(view: ExportedView, rows: Sequence[tuple[Any, ...]]) -> pa.Table:
    import pyarrow as pa

    schema = arrow_schema(view)
    values = iter(zip(*rows, strict=True))
    arrays = []
    for column, field in zip(view.file_columns, schema, strict=True):
        if column.is_gone:
            arrays.append(pa.nulls(len(rows), field.type))
        elif pa.types.is_dictionary(field.type):
            arrays.append(pa.array(next(values), pa.string()).dictionary_encode())
        else:
            arrays.append(pa.array(next(values), field.type))
    return pa.Table.from_arrays(arrays, schema=schema)


class _Microseconds(psycopg.adapt.Loader):
    """A time as microseconds since 1970, which is what Arrow stores; infinity is the last it can be."""

    format = Format.BINARY
    _unpack = Struct("!q").unpack
    _since_1970 = 946_684_800_000_000
    _first = -62_135_596_800_000_000
    _last = 253_402_300_799_999_999

    def load(self, data: Any) -> int:
        microseconds: int = self._unpack(data)[0] + self._since_1970
        return min(max(microseconds, self._first), self._last)


class _Days(psycopg.adapt.Loader):
    """A date as days since 1970, likewise."""

    format = Format.BINARY
    _unpack = Struct("!i").unpack

    def load(self, data: Any) -> int:
        days: int = self._unpack(data)[0] + 10_957
        return min(max(days, -719_162), 2_932_896)
