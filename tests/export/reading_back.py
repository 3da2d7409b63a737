"""A memory to export, and the rows of its views by each of the ways in which they can be read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import psycopg

from lightfast_pipelines.export.reading import Bounds
from lightfast_pipelines.export.run import ExportReport, Selection, export
from lightfast_pipelines.export.schemas import ExportedView, exported_views
from lightfast_pipelines.store.database import Connection, Database

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
VIEWS = exported_views()
_LAST = "timestamptz '9999-12-31 23:59:59.999999+00'"
_FIRST = "timestamptz '0001-01-01 00:00:00+00'"

Row = tuple[Any, ...]


def exported(
    database: Database,
    folder: Path,
    *views: str,
    workspaces: Sequence[str] = (),
    since: date | None = None,
    until: date | None = None,
) -> ExportReport:
    selection = Selection(workspaces, views, Bounds(since, until))
    return export(database, folder, selection, now=NOW)


def columns_of(view: ExportedView) -> list[str]:
    return [column.name for column in view.columns]


def by_sql(conn: Connection, view: ExportedView, workspace: str = "%") -> list[Row]:
    """What the view says, and the day of each row; infinite times are the last or first there can be."""
    selected = [
        {
            "json": f'v."{column.name}"::text',
            "time": f'CASE WHEN v."{column.name}" IS NOT NULL THEN '
            f'least(greatest(v."{column.name}", {_FIRST}), {_LAST}) END',
        }.get(column.type, f'v."{column.name}"')
        for column in view.columns
    ]
    if view.main_time not in (None, "day"):
        selected.append(
            f'(coalesce(least(greatest(v."{view.main_time}", {_FIRST}), {_LAST}), {_FIRST}) '
            "AT TIME ZONE 'UTC')::date"
        )
    remembered = "NOT v.is_deleted" if view.name == "observations" else "true"
    query = (
        f'SELECT {", ".join(selected)} FROM lightfast."{view.name}" v '
        f"JOIN lightfast.workspaces w ON w.id = v.workspace_id "
        f"WHERE {remembered} AND w.slug LIKE %s"
    )
    fetched = conn.execute(query.encode(), (workspace,)).fetchall()
    conn.rollback()
    return in_order(fetched)


def by_duckdb(folder: Path, view: ExportedView) -> list[Row]:
    """What DuckDB says to `FROM view` once it has read views.sql."""
    with duckdb.connect() as asking:
        asking.execute((folder / "views.sql").read_text())
        names = ", ".join(f'"{name}"' for name in _with_day(view))
        table = asking.execute(f'SELECT {names} FROM "{view.name}"').to_arrow_table()
    return in_order(tuple(row.values()) for row in table.to_pylist())


def by_pandas(folder: Path, view: ExportedView) -> list[Row]:
    """What pandas reads from the folder of the view, in one workspace."""
    frame = pd.read_parquet(folder / view.name)
    if "day" in frame:
        frame["day"] = [date.fromisoformat(str(day)) for day in frame["day"]]
    return in_order(
        tuple(_plain(cell) for cell in row)
        for row in zip(*(frame[name].tolist() for name in _with_day(view)), strict=True)
    )


def in_order(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=repr)


def _with_day(view: ExportedView) -> list[str]:
    names = columns_of(view)
    return names if view.main_time is None or "day" in names else [*names, "day"]


def _plain(cell: Any) -> Any:
    """What psycopg gives for the same value."""
    if isinstance(cell, np.ndarray):
        return cell.tolist()
    if isinstance(cell, pd.Timestamp):
        return cell.to_pydatetime().astimezone(UTC)
    if cell is None or cell is pd.NaT or (isinstance(cell, float) and math.isnan(cell)):
        return None
    return int(cell) if isinstance(cell, float) and cell.is_integer() else cell


def stamps(folder: Path) -> dict[str, int]:
    """Each Parquet file of rows, with the inode that a replaced file does not keep."""
    return {
        path.relative_to(folder).as_posix(): path.stat().st_ino
        for path in folder.glob("*/*/*/**/*.parquet")
    }


def as_owner(database: Database, statement: str, *parameters: object) -> None:
    with psycopg.connect(database.url("migrator"), autocommit=True) as conn:
        conn.execute(statement.encode(), parameters)
