"""Records work done outside Dagster's runs that its catalog does not show yet.

Each stage writes a row for each day; a sensor turns the rows into events, many at a time. So
`lightfast process` needs no Dagster and works where none has ever been started.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from lightfast_pipelines.store.database import Connection

DailyStage = Literal["provider_history", "capture", "embeddings", "clusters"]
WholeStage = Literal[
    "model_answers",
    "actors",
    "cluster_consolidation",
    "actor_profiles",
    "cluster_summaries",
    "memory_vectors",
]


@dataclass(frozen=True, slots=True)
class Work:
    """Work of a stage on a day, last done at `done_at`; a stage that does not work by day has no day."""

    stage: str
    day: date | None
    done_at: datetime


def record_days(conn: Connection, stage: DailyStage, days: Iterable[date]) -> None:
    """Records that the stage wrote rows of these days. The caller commits."""
    _record(conn, stage, sorted(days))


def record_whole(conn: Connection, stage: WholeStage) -> None:
    """Records that the stage, which does not work by day, has run. The caller commits."""
    _record(conn, stage, [None])


def record_consolidation(conn: Connection) -> None:
    """Records that actors and clusters were decided, as consolidation does both. The caller commits."""
    record_whole(conn, "actors")
    record_whole(conn, "cluster_consolidation")


def _record(conn: Connection, stage: str, days: list[date] | list[None]) -> None:
    conn.execute(
        """
        INSERT INTO lightfast.unreported_work (stage, partition_date, done_at)
        SELECT %s, day, clock_timestamp() FROM unnest(%s::date[]) AS d (day) ORDER BY day
        ON CONFLICT (stage, partition_date) DO UPDATE SET done_at = excluded.done_at
        """,
        (stage, days),
    )


def read_unreported(conn: Connection, *, days: int) -> list[Work]:
    """Unreported work: all stages of the oldest `days` days, and the stages without days."""
    rows = conn.execute(
        """
        WITH page AS (
          SELECT DISTINCT partition_date FROM lightfast.unreported_work
          ORDER BY partition_date NULLS FIRST LIMIT %s
        )
        SELECT w.stage, w.partition_date, w.done_at
        FROM lightfast.unreported_work w JOIN page p
          ON w.partition_date IS NOT DISTINCT FROM p.partition_date
        ORDER BY w.partition_date NULLS FIRST, w.stage
        """,
        (days,),
    ).fetchall()
    return [Work(*row) for row in rows]


def forget(conn: Connection, reported: Iterable[Work]) -> None:
    """Deletes what was reported, except work that was done again since it was read."""
    works = list(reported)
    conn.execute(
        """
        DELETE FROM lightfast.unreported_work w
        USING unnest(%s::text[], %s::date[], %s::timestamptz[]) AS r (stage, day, done_at)
        WHERE w.stage = r.stage AND w.partition_date IS NOT DISTINCT FROM r.day
          AND w.done_at <= r.done_at
        """,
        (
            [work.stage for work in works],
            [work.day for work in works],
            [work.done_at for work in works],
        ),
    )
