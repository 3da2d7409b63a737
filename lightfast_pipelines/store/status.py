"""The status of the memory: deliveries by outcome, lag, size, clocks, and work that stages gave up."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from lightfast_pipelines.store import stage_failures
from lightfast_pipelines.store.clocks import difference, read_future, seconds_ahead
from lightfast_pipelines.store.database import Connection, dict_rows
from lightfast_pipelines.store.hosted_vectors import hosted_progress
from lightfast_pipelines.store.row_counts import RowCount, row_counts

# The most frequent reasons that are listed, of so many outcomes.
_SHOWN = 20
_LATEST = 10_000
# Deliveries are stored in the order of their arrival, but history and files may be older.
_LAST_STORED = 200

_STATUS_COUNTS = """
    SELECT status, count(*)::int FROM (
      SELECT (ARRAY['dlq', 'parked', 'delivered', 'filtered'])[
               min(array_position(ARRAY['dlq', 'parked', 'delivered', 'filtered'], o.status))] AS status
      FROM lightfast.outcomes o
      WHERE NOT EXISTS (SELECT FROM lightfast.raw_queue q WHERE q.raw_payload_id = o.raw_payload_id)
      GROUP BY o.raw_payload_id
    ) payloads GROUP BY status
"""

# Of a long history: a delivery with several outcomes counts for each that is not `delivered`.
_UNDELIVERED_COUNTS = """
    SELECT status, count(*)::int FROM lightfast.outcomes
    WHERE status <> 'delivered' GROUP BY status
"""

_MEMORY = {
    "observations": "observation_facts",
    "entities": "entities",
    "relationships": "relationships",
    "actors": "actors",
    "clusters": "clusters",
}


def read_status(conn: Connection, now: datetime) -> dict[str, Any]:
    """What `lightfast status` shows. `now` is this machine's clock, read just before."""
    clock_difference = difference(seconds_ahead(conn, now))
    future = read_future(conn, now)
    sizes = row_counts(conn, ("raw_payloads", *_MEMORY.values()))
    waiting = conn.execute(
        "SELECT count(*)::int, min(enqueued_at), extract(epoch FROM now() - min(enqueued_at)) FROM lightfast.raw_queue"
    ).fetchone()
    assert waiting is not None
    last = conn.execute(
        """
        SELECT max(received_at) FROM (
          SELECT received_at FROM lightfast.raw_payloads ORDER BY id DESC LIMIT %s) stored
        """,
        (_LAST_STORED,),
    ).fetchone()
    assert last is not None
    deliveries = _deliveries(conn, sizes["raw_payloads"], waiting[0])
    hosted = hosted_progress(conn)
    given_up = stage_failures.counts(conn)
    reasons = dict_rows(
        conn,
        """
        SELECT status, reason, count(*)::int AS deliveries FROM (
          SELECT status, reason FROM lightfast.outcomes
          WHERE status <> 'delivered' ORDER BY id DESC LIMIT %s
        ) latest
        GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT %s
        """,
        (_LATEST, _SHOWN),
    )
    conn.rollback()
    estimated = [
        *(["delivered"] if sizes["raw_payloads"].is_estimate else []),
        *(name for name, table in _MEMORY.items() if sizes[table].is_estimate),
    ]
    return {
        "deliveries": deliveries,
        "lag": {
            "oldest_waiting_since": waiting[1].isoformat() if waiting[1] else None,
            "seconds": round(float(waiting[2]), 1) if waiting[2] is not None else 0.0,
            "last_received_at": last[0].isoformat() if last[0] else None,
        },
        "given_up_by_stages": given_up,
        **({"hosted_vectors": asdict(hosted)} if hosted else {}),
        "memory": {name: sizes[table].rows for name, table in _MEMORY.items()},
        **({"estimated": estimated} if estimated else {}),
        "clocks": {
            "this_machine": clock_difference or "agrees with the database's clock",
            "deliveries_on_days_to_come": future.deliveries,
            "last_of_these_days": future.last_day.isoformat() if future.last_day else None,
            "observations_dated_after_now": future.observations,
        },
        "reasons": reasons,
    }


def _deliveries(conn: Connection, stored: RowCount, waiting: int) -> dict[str, int]:
    """Deliveries by outcome. Of a long history those that were delivered are what is left of all."""
    query = _UNDELIVERED_COUNTS if stored.is_estimate else _STATUS_COUNTS
    counts: dict[str, int] = {str(status): int(count) for status, count in conn.execute(query)}
    if stored.is_estimate:
        counts["delivered"] = max(0, stored.rows - waiting - sum(counts.values()))
    names = ("delivered", "filtered", "parked", "dlq")
    return {"received": waiting} | {name: counts.get(name, 0) for name in names}
