"""How far clocks are apart, and what a clock that was ahead has left in days to come.

The database's clock is the second witness: no machine stores a receipt later than it says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from lightfast_pipelines.store.database import Connection

APART = timedelta(seconds=60)
"""Clocks that differ by less are not worth a word."""


@dataclass(frozen=True, slots=True)
class Future:
    """Deliveries of days after today, the last of these days, and observations dated after now."""

    deliveries: int
    last_day: date | None
    observations: int


def seconds_ahead(conn: Connection, now: datetime) -> float:
    """By how much `now`, read just before, is ahead of the database's clock; negative: behind."""
    row = conn.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    database: datetime = row[0]
    return (now - database).total_seconds()


def difference(seconds: float) -> str | None:
    """`this machine's clock is 400 days ahead of the database's`; None where they agree."""
    if abs(seconds) < APART.total_seconds():
        return None
    size = abs(seconds)
    unit, length = next(
        (unit, length)
        for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60))
        if size >= length
    )
    number = round(size / length)
    where = "ahead of" if seconds > 0 else "behind"
    return f"this machine's clock is {number} {unit}{'s' * (number != 1)} {where} the database's"


def read_future(conn: Connection, now: datetime) -> Future:
    """What lies in the future: a clock was ahead when it was stored, or a payload says so."""
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
    """The days, and where today is among them those after it that have deliveries: Dagster has no
    partition of a day to come, so what a clock that was ahead left there is taken with today's."""
    if today not in days:
        return list(days)
    rows = conn.execute(
        "SELECT DISTINCT partition_date FROM lightfast.raw_payloads WHERE partition_date > %s",
        (today,),
    ).fetchall()
    return sorted({*days, *(row[0] for row in rows)})
