"""Counts pending work by stage and by day, without changing a row.

The sensor asks which days to run; `status`, `process` and `digest` ask how much there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import LiteralString

from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.pending_work import (
    PARTITION_DAY,
    TO_CLUSTER,
    TO_CONSOLIDATE,
    TO_EMBED,
    PendingObservations,
)

# Locks (store/locks.py) of the stages of a `memory` run, in their order.
STAGE_LOCKS = ("capture", "embeddings", "clusters")

# Pending observations that are counted; the rest is counted when these are done.
_OLDEST = 5_000
_NEWEST = 1_000


@dataclass(frozen=True, slots=True)
class DayWork:
    """A day's work: waiting deliveries, observations without a vector, observations without a cluster.

    The last two are counted among the oldest 5,000 and the newest 1,000 pending observations only.
    """

    day: date
    deliveries: int = 0
    unembedded: int = 0
    unclustered: int = 0

    @property
    def rows(self) -> int:
        return self.deliveries + max(self.unembedded, self.unclustered)


@dataclass(frozen=True, slots=True)
class DaysWithWork:
    """Days in order. `complete` is false if a bound cut the count short, so more days may have work."""

    days: tuple[DayWork, ...]
    complete: bool

    def __bool__(self) -> bool:
        return bool(self.days)


@dataclass(frozen=True, slots=True)
class Backlog:
    """Exact counts: waiting deliveries, pending observations by stage, workspaces to consolidate."""

    deliveries: int
    unembedded: int
    unclustered: int
    workspaces: int

    @property
    def total(self) -> int:
        return self.deliveries + self.unembedded + self.unclustered + self.workspaces


_QUEUE = "SELECT partition_date, count(*) FROM lightfast.raw_queue GROUP BY partition_date"

_BY_DAY: LiteralString = """
WITH pending AS (
  (SELECT o.id FROM ({waiting}) o ORDER BY o.id LIMIT {oldest})
  UNION
  (SELECT o.id FROM ({waiting}) o ORDER BY o.id DESC LIMIT {newest})
)
SELECT d.day, count(*) FROM pending o CROSS JOIN {partition_day}
WHERE d.day IS NOT NULL
GROUP BY d.day
"""


def days_with_work(
    conn: Connection, *, model: str, cluster_rule_version: int, exactly: bool = False
) -> DaysWithWork:
    """The days that have waiting deliveries, or observations to embed or to cluster.

    Without `exactly` only observations without any vector or cluster count, which takes milliseconds
    among a million. With it those of other models or older rules count too.
    """
    parameters = {"model": model, "cluster_rules": cluster_rule_version}

    def by_day(stage: PendingObservations) -> dict[date, int]:
        query = _BY_DAY.format(
            waiting=stage.pending if exactly else stage.without_result,
            oldest=_OLDEST,
            newest=_NEWEST,
            partition_day=PARTITION_DAY,
        )
        return dict(conn.execute(query, parameters).fetchall())

    queue: dict[date, int] = dict(conn.execute(_QUEUE).fetchall())
    unembedded, unclustered = by_day(TO_EMBED), by_day(TO_CLUSTER)
    days = tuple(
        DayWork(day, queue.get(day, 0), unembedded.get(day, 0), unclustered.get(day, 0))
        for day in sorted(queue.keys() | unembedded.keys() | unclustered.keys())
    )
    counted = max(sum(unembedded.values()), sum(unclustered.values()))
    return DaysWithWork(days, complete=counted < _OLDEST)


def waiting(conn: Connection, *, model: str, cluster_rule_version: int) -> Backlog:
    """Exact counts of the pending work of each stage."""
    row = conn.execute(
        f"""
        SELECT
          (SELECT count(*) FROM lightfast.raw_queue),
          (SELECT count(*) FROM ({TO_EMBED.pending}) o),
          (SELECT count(*) FROM ({TO_CLUSTER.pending}) o),
          (SELECT count(*) FROM lightfast.consolidation_marks k WHERE {TO_CONSOLIDATE})
        """,
        {"model": model, "cluster_rules": cluster_rule_version},
    ).fetchone()
    assert row is not None
    return Backlog(*row)


def oldest_days(conn: Connection, before: date) -> dict[int | None, date]:
    """Lane of the queue (None: not assigned yet) -> its oldest waiting day, if that is before `before`."""
    return dict(
        conn.execute(
            """
            SELECT lane, min(partition_date) FROM lightfast.raw_queue
            WHERE partition_date < %s GROUP BY lane
            """,
            (before,),
        ).fetchall()
    )


def recent_days_waiting(conn: Connection, first: date) -> tuple[list[date], bool]:
    """The days from `first` on that have waiting deliveries, and whether earlier days have some."""
    [(days, earlier)] = conn.execute(
        """
        SELECT ARRAY(SELECT DISTINCT partition_date FROM lightfast.raw_queue
                     WHERE partition_date >= %(first)s ORDER BY partition_date),
               EXISTS (SELECT FROM lightfast.raw_queue WHERE partition_date < %(first)s)
        """,
        {"first": first},
    ).fetchall()
    return days, earlier


def days_waiting_for_long(conn: Connection, seconds: float) -> frozenset[date]:
    """The days with a delivery that has waited for longer than this, by the database's clock."""
    rows = conn.execute(
        """
        SELECT DISTINCT partition_date FROM lightfast.raw_queue
        WHERE enqueued_at < now() - make_interval(secs => %s)
        """,
        (seconds,),
    )
    return frozenset(row[0] for row in rows)


def queued(conn: Connection, days: Sequence[date]) -> int:
    """Number of waiting deliveries of these days."""
    row = conn.execute(
        "SELECT count(*) FROM lightfast.raw_queue WHERE partition_date = ANY(%s)", (list(days),)
    ).fetchone()
    return int(row[0]) if row else 0


def workspaces_due(conn: Connection, *, cluster_rule_version: int) -> int:
    """Number of workspaces that changed, or whose rules did, since they were consolidated."""
    row = conn.execute(
        f"SELECT count(*) FROM lightfast.consolidation_marks k WHERE {TO_CONSOLIDATE}",
        {"cluster_rules": cluster_rule_version},
    ).fetchone()
    return int(row[0]) if row else 0


def cluster_sizes(conn: Connection) -> dict[str, int]:
    """Size class (`1`, `2-3`, `4-7`, ...) -> number of clusters, in order of size."""
    return _sizes(conn, "clusters")


def profile_sizes(conn: Connection) -> dict[str, int]:
    """Size class by observations (`1`, `2-3`, `4-7`, ...) -> number of profiles, in order of size."""
    return _sizes(conn, "actor_profiles")


def summary_sizes(conn: Connection) -> dict[int, int]:
    """Number of sentences -> number of summaries of that length, in order."""
    return dict(
        conn.execute(
            """
            SELECT jsonb_array_length(summary_citations) AS sentences, count(*)
            FROM lightfast.clusters WHERE summary IS NOT NULL GROUP BY 1 ORDER BY 1
            """
        ).fetchall()
    )


def _sizes(conn: Connection, table: str) -> dict[str, int]:
    rows = conn.execute(
        f"""
        SELECT floor(log(2, greatest(observation_count, 1)))::integer AS class, count(*)
        FROM lightfast.{table} GROUP BY class ORDER BY class
        """
    ).fetchall()
    return {("1" if power == 0 else f"{2**power}-{2 ** (power + 1) - 1}"): n for power, n in rows}
