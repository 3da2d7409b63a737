"""Counts, by day, the deliveries that arrived since the last report."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from lightfast_pipelines.store.database import Connection

# Each reported day costs Dagster half a millisecond.
_ROWS = 100_000
_DAYS = 10_000


@dataclass(frozen=True, slots=True)
class Arrivals:
    """`days`: (day, new deliveries, all deliveries of the day). `last_id`: where to continue.

    `more` is true if a limit left some for the next report.
    """

    days: tuple[tuple[date, int, int], ...]
    last_id: int
    more: bool = False


def arrivals_since(conn: Connection, last_id: int) -> Arrivals:
    """Deliveries with a greater id, at most 100,000 and 10,000 days of them.

    Ids are assigned before commits, so a delivery that commits late can be missing from the first number;
    the second is counted again each time.
    """
    rows = conn.execute(
        """
        SELECT partition_date, min(id), max(id), count(*)
        FROM (
          SELECT id, partition_date FROM lightfast.raw_payloads
          WHERE id > %s ORDER BY id LIMIT %s
        ) new
        GROUP BY partition_date ORDER BY min(id)
        """,
        (last_id, _ROWS),
    ).fetchall()
    if not rows:
        return Arrivals((), last_id)
    more = len(rows) > _DAYS or sum(row[3] for row in rows) == _ROWS
    if len(rows) > _DAYS:
        # Continue before the first day left out: days before it may be counted again, but are never missed.
        end = rows[_DAYS][1] - 1
        rows = rows[:_DAYS]
    else:
        end = max(row[2] for row in rows)
    totals: dict[date, int] = dict(
        conn.execute(
            """
            SELECT partition_date, count(*) FROM lightfast.raw_payloads
            WHERE partition_date = ANY(%s) GROUP BY partition_date
            """,
            ([row[0] for row in rows],),
        ).fetchall()
    )
    return Arrivals(tuple((row[0], row[3], totals[row[0]]) for row in sorted(rows)), end, more)
