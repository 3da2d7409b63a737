"""What keeps tables in order: partitions of bodies for the months ahead."""

from __future__ import annotations

from datetime import date

from lightfast_pipelines.store.database import Connection

MONTHS_AHEAD = 3


def create_month_partitions(conn: Connection, today: date) -> int:
    """Makes the partitions of `raw_bodies` for this month and the next three; how many were new.

    A month that already has bodies in the default partition is left there. The caller commits.
    """
    row = conn.execute(
        """
        SELECT count(*) FILTER (WHERE lightfast.make_body_partition((%s::date
          + make_interval(months => ahead))::date))
        FROM generate_series(0, %s) ahead
        """,
        (today.replace(day=1), MONTHS_AHEAD),
    ).fetchone()
    return int(row[0]) if row else 0
