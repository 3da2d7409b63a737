"""Dagster's own tables: deletes what Dagster never deletes, and tells how much there is.

Deleting a run is left to Dagster itself (`jobs/pruning.py`). But it deletes neither the results of a run's
checks, nor any event that belongs to no run, nor the log of a run that has to stay because it holds the last
materialization of a partition. All of these would grow forever.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import LiteralString

import psycopg

from lightfast_pipelines.store.database import Connection, Database

# What the catalog shows of an asset; the other events of a run are its log.
_OF_ASSETS = (
    "ASSET_MATERIALIZATION",
    "ASSET_OBSERVATION",
    "ASSET_CHECK_EVALUATION",
)


@dataclass(frozen=True, slots=True)
class Deleted:
    """How many rows went."""

    events: int
    """Of no run, followed by a later one of the same asset and partition."""
    log_lines: int
    """Of runs that stay."""
    check_results: int
    """Of runs that are gone."""


@dataclass(frozen=True, slots=True)
class LoadOfDagster:
    """What Dagster wrote in the last day, and the bytes of its tables with their indexes."""

    runs_of_day: int
    event_bytes_of_day: float
    """Estimated by the latest events."""
    size: int


@contextmanager
def dagster_storage(database: Database) -> Iterator[Connection | None]:
    """A connection to Dagster's tables; None where that database has none."""
    with psycopg.connect(
        database.dagster_address(), application_name="lightfast upkeep of Dagster"
    ) as conn:
        row = conn.execute("SELECT to_regclass('event_logs') IS NOT NULL").fetchone()
        conn.commit()
        yield conn if row and row[0] else None


def delete_old(conn: Connection, before: datetime, *, at_most: int, page: int = 2_000) -> Deleted:
    """Deletes at most `at_most` rows of each kind from before `before`. Commits after each page."""
    parameters = {"before": _naive(before), "of_assets": list(_OF_ASSETS)}
    # Spares the rest of the table; if the clock was set back once, it may be too high by itself.
    parameters |= {"first": _first_since(conn, "event_logs", "timestamp", before)}
    return Deleted(
        *(
            _by_pages(conn, query, parameters, at_most, page)
            for query in (_SUPERSEDED, _LOG_LINES, _CHECK_RESULTS)
        )
    )


_SUPERSEDED: LiteralString = """
    WITH old AS (
      SELECT e.id FROM event_logs e
      WHERE e.run_id = '' AND e.id < %(first)s AND e.timestamp < %(before)s AND e.asset_key IS NOT NULL AND EXISTS (
        SELECT FROM event_logs later
        WHERE later.asset_key = e.asset_key AND later.dagster_event_type = e.dagster_event_type
          AND later.partition IS NOT DISTINCT FROM e.partition AND later.id > e.id)
      ORDER BY e.id LIMIT %(page)s
    ), tags AS (DELETE FROM asset_event_tags t USING old WHERE t.event_id = old.id)
    DELETE FROM event_logs e USING old WHERE e.id = old.id
"""
_LOG_LINES: LiteralString = """
    DELETE FROM event_logs WHERE id IN (
      SELECT e.id FROM event_logs e JOIN runs r ON r.run_id = e.run_id
      WHERE e.id < %(first)s AND e.timestamp < %(before)s
        AND r.status IN ('SUCCESS', 'FAILURE', 'CANCELED')
        AND (e.dagster_event_type IS NULL OR e.dagster_event_type <> ALL (%(of_assets)s))
      ORDER BY e.id LIMIT %(page)s)
"""
_CHECK_RESULTS: LiteralString = """
    DELETE FROM asset_check_executions WHERE id IN (
      SELECT c.id FROM asset_check_executions c
      WHERE c.create_timestamp < %(before)s
        AND NOT EXISTS (SELECT FROM runs r WHERE r.run_id = c.run_id)
        AND EXISTS (
          SELECT FROM asset_check_executions later
          WHERE later.asset_key = c.asset_key AND later.check_name = c.check_name
            AND later.id > c.id)
      ORDER BY c.id LIMIT %(page)s)
"""


def load_of_dagster(conn: Connection, now: datetime) -> LoadOfDagster:
    """Reads the ends of the tables only, whatever their size."""
    since = now - timedelta(days=1)
    row = conn.execute(
        """
        SELECT
          (SELECT greatest(coalesce(max(id) - %(run)s + 1, 0), 0) FROM runs),
          (SELECT greatest(coalesce(max(id) - %(event)s + 1, 0), 0) FROM event_logs),
          (SELECT coalesce(avg(pg_column_size(e.*)), 0)
           FROM (SELECT * FROM event_logs ORDER BY id DESC LIMIT 1000) e),
          (SELECT sum(pg_total_relation_size(oid)) FROM pg_catalog.pg_class
           WHERE relkind = 'r' AND relnamespace =
             (SELECT relnamespace FROM pg_catalog.pg_class WHERE oid = 'event_logs'::regclass))
        """,
        {
            "run": _first_since(conn, "runs", "create_timestamp", since),
            "event": _first_since(conn, "event_logs", "timestamp", since),
        },
    ).fetchone()
    conn.commit()
    assert row is not None
    runs, events, mean, size = row
    return LoadOfDagster(int(runs), float(events) * float(mean), int(size))


def _naive(moment: datetime) -> datetime:
    """As Dagster stores times: in UTC, without a zone."""
    return moment.astimezone(UTC).replace(tzinfo=None)


def _by_pages(
    conn: Connection,
    query: LiteralString,
    parameters: dict[str, object],
    at_most: int,
    page: int,
) -> int:
    deleted = 0
    while deleted < at_most:
        size = min(page, at_most - deleted)
        rows = conn.execute(query, {**parameters, "page": size}).rowcount
        conn.commit()
        deleted += rows
        if rows < size:
            break
    return deleted


def _first_since(
    conn: Connection, table: LiteralString, time: LiteralString, moment: datetime
) -> int:
    """Id of the first row at or after `moment`: by halving, as times have no index and ids grow with them."""
    row = conn.execute(f"SELECT min(id), max(id) FROM {table}").fetchone()
    if row is None or row[0] is None:
        return 0
    low, high = row[0], row[1] + 1
    while low < high:
        middle = (low + high) // 2
        event = conn.execute(
            f"SELECT id, {time} FROM {table} WHERE id >= %s ORDER BY id LIMIT 1", (middle,)
        ).fetchone()
        if event is None or event[1] >= _naive(moment):
            high = middle
        else:
            low = event[0] + 1
    return int(low)
