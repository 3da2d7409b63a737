"""Creates the monthly partitions of `raw_bodies`, ahead of time and for ingested files."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from psycopg.errors import LockNotAvailable

from lightfast_pipelines.store.database import Connection

MONTHS_AHEAD = 3


def create_month_partitions(conn: Connection, today: date) -> int:
    """Creates the partitions for this month and the next three; returns how many were new.

    Moves bodies of these months out of the default partition. The caller commits.
    """
    months = (today.month - 1 + ahead for ahead in range(MONTHS_AHEAD + 1))
    return make_months(
        conn, (date(today.year + month // 12, month % 12 + 1, 1) for month in months)
    )


def make_months(conn: Connection, days: Iterable[date]) -> int:
    """Creates the partitions of the months of these days; returns how many were new.

    The caller commits before it inserts, because inserts into these months wait for the commit.
    """
    months = sorted({day.replace(day=1) for day in days})
    row = conn.execute(
        """
        SELECT count(*) FILTER (WHERE lightfast.make_body_partition(month))
        FROM unnest(%s::date[]) AS month
        WHERE to_regclass('lightfast.raw_bodies_' || to_char(month, 'YYYY_MM')) IS NULL
        """,
        (months,),
    ).fetchone()
    return int(row[0]) if row else 0


def make_months_soon(conn: Connection, days: Iterable[date]) -> int:
    """Like `make_months`, and commits. Gives up if somebody reads the default partition for long: the
    bodies then go there, and the nightly upkeep moves them."""
    conn.execute("SET LOCAL lock_timeout = '5s'")
    try:
        made = make_months(conn, days)
    except LockNotAvailable:
        conn.rollback()
        return 0
    conn.commit()
    return made


def move_out_of_default(conn: Connection, at_most: int) -> int:
    """Creates partitions for the oldest months in the default partition, so that they can be dropped.

    Returns how many. Commits after each, because moving a month rewrites its bodies.
    """
    for made in range(at_most):
        row = conn.execute("SELECT min(received_at) FROM lightfast.raw_bodies_default").fetchone()
        if row is None or row[0] is None or not make_months(conn, [row[0].date()]):
            conn.rollback()
            return made
        conn.commit()
    return at_most
