"""Compares clocks, and finds what a clock that was ahead left in the future.

No machine stores a time of receipt later than the database's clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from lightfast_pipelines.store.database import Connection

APART = timedelta(seconds=60)
"""Smaller differences are not reported."""


@dataclass(frozen=True, slots=True)
class Future:
    """The number of deliveries of future days, the last such day, and observations dated after now."""

    deliveries: int
    last_day: date | None
    observations: int


def seconds_ahead(conn: Connection, now: datetime) -> float:
    """Seconds by which `now`, read just before, is ahead of the database's clock; negative: behind."""
    row = conn.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    database: datetime = row[0]
    return (now - database).total_seconds()


def difference(seconds: float) -> str | None:
    """`this machine's clock is 400 days ahead of the database's`; None if they agree."""
    if abs(seconds) < APART.total_seconds():
        return None
    size = abs(seconds)
    unit, length = next(
        (unit, length)
        for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60))
        if size >= length
    )
    number = round(size / length)
    direction = "ahead of" if seconds > 0 else "behind"
    return (
        f"this machine's clock is {number} {unit}{'s' * (number != 1)} {direction} the database's"
    )


def read_future(conn: Connection, now: datetime) -> Future:
    """What is dated in the future, because a clock was ahead or a payload says so."""
    row = conn.execute(
        """
        SELECT (SELECT count(*) FROM lightfast.raw_payloads WHERE partition_date > %(today)s),
               (SELECT max(partition_date) FROM lightfast.raw_payloads WHERE partition_date > %(today)s),
               (SELECT count(*) FROM lightfast.workspaces w
                JOIN lightfast.observations o ON o.workspace_id = w.id AND o.occurred_at > %(now)s)
        """,
        {"today": now.astimezone(UTC).date(), "now": now},
    ).fetchone()
    assert row is not None
    return Future(row[0], row[1], row[2])


def with_later_days(conn: Connection, days: Sequence[date], today: date) -> list[date]:
    """The days and, if today is among them, the later days that have deliveries.

    Dagster has no partitions for future days, so today's run captures what a clock that was ahead left
    there.
    """
    if today not in days:
        return list(days)
    rows = conn.execute(
        "SELECT DISTINCT partition_date FROM lightfast.raw_payloads WHERE partition_date > %s",
        (today,),
    ).fetchall()
    return sorted({*days, *(row[0] for row in rows)})
