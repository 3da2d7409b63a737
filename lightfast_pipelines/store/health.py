"""Figures of the running pipeline: its lag, its load and its sizes. Measured without scanning history.

Limits are in `domain/health.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import LiteralString

from lightfast_pipelines.domain.health import Figure, days_left
from lightfast_pipelines.store.dagster_storage import LoadOfDagster
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.pending_work import TO_CLUSTER, TO_EMBED
from lightfast_pipelines.store.row_counts import row_counts

# Latest deliveries whose lag is read, and tables whose sizes are kept.
_DELIVERIES = 20_000
_TABLES = 20
_GROWTH_OVER = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class ServerFiles:
    """Bytes of the write-ahead log that the server keeps, and free on its disk; None where unknown."""

    wal: int | None = None
    disk_free: int | None = None


def measure(
    conn: Connection,
    *,
    now: datetime,
    model: str,
    cluster_rules: int,
    files: ServerFiles,
    dagster: LoadOfDagster | None,
) -> list[Figure]:
    """All figures; what is not known has none."""
    parameters = {"model": model, "cluster_rules": cluster_rules}
    figures = [
        *_lags(conn, now),
        *(
            Figure("oldest_pending", stage, age)
            for stage, query in _OLDEST_PENDING.items()
            if (age := _number(conn, query, {**parameters, "now": now})) is not None
        ),
        *_sizes(conn),
    ]
    if dagster is not None:
        figures += [
            Figure("runs_day", "", dagster.runs_of_day),
            Figure("event_log_day", "", dagster.event_bytes_of_day),
            Figure("dagster_size", "", dagster.size),
        ]
    if files.wal is not None:
        figures.append(Figure("wal_size", "", files.wal))
    if files.disk_free is not None:
        figures += _disk(conn, files.disk_free, figures, now)
    return figures


_LAGS: LiteralString = """
    SELECT p.provider, percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (
             ORDER BY greatest(extract(epoch FROM queryable.at - p.received_at), 0))
    FROM (
      SELECT id, provider, received_at, ingestion_source FROM lightfast.raw_payloads
      ORDER BY id DESC LIMIT %(most)s
    ) p
    CROSS JOIN LATERAL (
      SELECT max(f.captured_at) AS at FROM lightfast.observation_sources s
      JOIN lightfast.observation_facts f ON f.id = s.observation_id
      WHERE s.raw_payload_id = p.id
    ) queryable
    WHERE p.received_at >= %(since)s AND p.ingestion_source = 'webhook'
      AND queryable.at IS NOT NULL
    GROUP BY 1 ORDER BY 1
"""


def _lags(conn: Connection, now: datetime) -> Iterator[Figure]:
    """Seconds from receipt until all that was stated can be queried, of the last day's delivered webhooks.

    Of these, among the latest deliveries only, so that it costs the same at any load and after any history.
    Outcomes do not say it: a delivery that is captured again, after a language model's answer or by newer
    rules, gets a new one, and all deliveries of a page get the time at which the page began.
    """
    parameters = {"since": now - timedelta(days=1), "most": _DELIVERIES}
    for provider, (middle, high) in conn.execute(_LAGS, parameters):
        yield Figure("received_to_queryable_p50", provider, float(middle))
        yield Figure("received_to_queryable_p95", provider, float(high))


def _oldest(queue: LiteralString, not_given_up: LiteralString) -> LiteralString:
    """A query for the age of the oldest observation of a queue that is to be worked on."""
    return f"""
        SELECT extract(epoch FROM %(now)s - f.captured_at)
        FROM {queue} JOIN lightfast.observation_facts f ON f.id = o.id
        WHERE {not_given_up} ORDER BY o.id LIMIT 1
    """


_OLDEST_PENDING: dict[str, LiteralString] = {
    "capture": "SELECT extract(epoch FROM %(now)s - min(enqueued_at)) FROM lightfast.raw_queue",
    "embeddings": _oldest(TO_EMBED.queue, TO_EMBED.not_given_up),
    "clusters": _oldest(TO_CLUSTER.queue, TO_CLUSTER.not_given_up),
}


def _sizes(conn: Connection) -> Iterator[Figure]:
    """Bytes of the database and of its largest tables with their indexes; partitions count together."""
    size = _number(conn, "SELECT pg_database_size(current_database())", {})
    yield Figure("database_size", "", size or 0.0)
    rows = conn.execute(
        """
        SELECT coalesce(parent.relname, c.relname), sum(pg_total_relation_size(c.oid))
        FROM pg_catalog.pg_class c
        LEFT JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid
        LEFT JOIN pg_catalog.pg_class parent ON parent.oid = i.inhparent
        WHERE c.relkind = 'r' AND c.relnamespace = 'lightfast'::regnamespace
        GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT %s
        """,
        (_TABLES,),
    )
    for table, table_size in rows:
        yield Figure("table_size", table, float(table_size))
    vectors = row_counts(conn, ["observation_vectors"])["observation_vectors"]
    yield Figure("vectors", "", vectors.rows)


def _disk(
    conn: Connection, free: int, figures: Sequence[Figure], now: datetime
) -> Iterator[Figure]:
    yield Figure("disk_free", "", free)
    size = next(figure.value for figure in figures if figure.name == "database_size")
    row = conn.execute(
        """
        SELECT value, extract(epoch FROM %(now)s - measured_at) / 86400
        FROM lightfast.health_figures
        WHERE name = 'database_size' AND subject = '' AND day >= %(since)s::date
        ORDER BY day LIMIT 1
        """,
        {"now": now, "since": now - _GROWTH_OVER},
    ).fetchone()
    if row is not None:
        left = days_left(free, size, float(row[0]), float(row[1]))
        if left is not None:
            yield Figure("disk_days_left", "", left)


def _number(conn: Connection, query: LiteralString, parameters: dict[str, object]) -> float | None:
    row = conn.execute(query, parameters).fetchone()
    return float(row[0]) if row is not None and row[0] is not None else None


def record_figures(conn: Connection, figures: Sequence[Figure], now: datetime) -> None:
    """Keeps the figures as those of this day. Does not commit."""
    with conn.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO lightfast.health_figures (day, name, subject, value, measured_at)
            VALUES (%s, %s, %s, %s, %s)
            ON CONFLICT (day, name, subject)
            DO UPDATE SET value = excluded.value, measured_at = excluded.measured_at
            """,
            [
                (now.astimezone(UTC).date(), figure.name, figure.subject, figure.value, now)
                for figure in figures
            ],
        )


def is_recorded(conn: Connection, now: datetime) -> bool:
    """Whether this day has figures."""
    rows = conn.execute(
        "SELECT 1 FROM lightfast.health_figures WHERE day = %s LIMIT 1",
        (now.astimezone(UTC).date(),),
    )
    return rows.fetchone() is not None


def figures_over_time(
    conn: Connection, *, days: int, now: datetime
) -> dict[tuple[str, str], list[tuple[datetime, float]]]:
    """(name, subject) -> (time, value) of each day."""
    series: dict[tuple[str, str], list[tuple[datetime, float]]] = {}
    for name, subject, at, value in conn.execute(
        """
        SELECT name, subject, measured_at, value FROM lightfast.health_figures
        WHERE day > %s::date ORDER BY name, subject, day
        """,
        (now - timedelta(days=days),),
    ):
        series.setdefault((name, subject), []).append((at, float(value)))
    return series
