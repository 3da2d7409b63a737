"""Breaches of the limits of health: one row from the first time it is seen until it is over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from lightfast_pipelines.domain.health import Exceeded
from lightfast_pipelines.store.database import Connection


@dataclass(frozen=True, slots=True)
class OpenBreach:
    """A breach that is not over."""

    kind: str
    what: str
    value: float
    limit: float
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class BreachChanges:
    """What has begun and ended since the last time."""

    opened: tuple[Exceeded, ...] = ()
    closed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.opened or self.closed)


def follow_breaches(conn: Connection, exceeded: Sequence[Exceeded], now: datetime) -> BreachChanges:
    """Opens a breach for what is beyond its limit and has none, and closes those of what no longer is.

    Does not commit.
    """
    kinds = [each.kind for each in exceeded]
    closed = conn.execute(
        "UPDATE lightfast.breaches SET closed_at = %s"
        " WHERE closed_at IS NULL AND kind <> ALL (%s) RETURNING kind",
        (now, kinds),
    ).fetchall()
    opened = [
        each
        for each in exceeded
        if conn.execute(
            """
            INSERT INTO lightfast.breaches (kind, what, value, bound, opened_at)
            VALUES (%s, %s, %s, %s, %s)
            ON CONFLICT (kind) WHERE closed_at IS NULL DO NOTHING
            """,
            (each.kind, each.what, each.value, each.limit, now),
        ).rowcount
    ]
    return BreachChanges(tuple(opened), tuple(sorted(kind for (kind,) in closed)))


def open_breaches(conn: Connection) -> list[OpenBreach]:
    """Those that are not over, the oldest first."""
    rows = conn.execute(
        "SELECT kind, what, value, bound, opened_at FROM lightfast.breaches"
        " WHERE closed_at IS NULL ORDER BY opened_at, kind"
    )
    return [OpenBreach(*row) for row in rows]
