"""How many rows tables have: counted while there are few, else as the server estimates.

Counting a million rows takes a tenth of a second for each table, and more with every year.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lightfast_pipelines.store.database import Connection

COUNTED_ROWS = 50_000
"""Tables with more rows, by the estimate of their last ANALYZE, are not counted."""


@dataclass(frozen=True, slots=True)
class RowCount:
    rows: int
    is_estimate: bool


def row_counts(
    conn: Connection, tables: Sequence[str], counted: int | None = None
) -> dict[str, RowCount]:
    """The number of rows of each of these tables of schema `lightfast`; counts up to `counted` rows."""
    counted = COUNTED_ROWS if counted is None else counted
    estimates: dict[str, int] = dict(
        conn.execute(
            """
            SELECT relname, reltuples::bigint FROM pg_class
            WHERE relnamespace = 'lightfast'::regnamespace AND relname = ANY(%s)
            """,
            (list(tables),),
        ).fetchall()
    )
    return {
        table: RowCount(estimates[table], is_estimate=True)
        if estimates[table] > counted
        else RowCount(_count(conn, table), is_estimate=False)
        for table in tables
    }


def _count(conn: Connection, table: str) -> int:
    row = conn.execute(f"SELECT count(*) FROM lightfast.{table}").fetchone()
    return int(row[0]) if row else 0
