"""The status of the memory: deliveries by outcome, lag, size, clocks, and work that stages gave up."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from lightfast_pipelines.store import stage_failures
from lightfast_pipelines.store.clocks import difference, read_future, seconds_ahead
from lightfast_pipelines.store.database import Connection, dict_rows
from lightfast_pipelines.store.hosted_vectors import hosted_progress

# The most frequent reasons that are listed.
_SHOWN = 20

_STATUS_COUNTS = """
    SELECT status, count(*)::int FROM (
      SELECT (ARRAY['dlq', 'parked', 'delivered', 'filtered'])[
               min(array_position(ARRAY['dlq', 'parked', 'delivered', 'filtered'], o.status))] AS status
      FROM lightfast.outcomes o
      WHERE NOT EXISTS (SELECT FROM lightfast.raw_queue q WHERE q.raw_payload_id = o.raw_payload_id)
      GROUP BY o.raw_payload_id
    ) payloads GROUP BY status
"""


def read_status(conn: Connection, now: datetime) -> dict[str, Any]:
    """What `lightfast status` shows. `now` is this machine's clock, read just before."""
    clock_difference = difference(seconds_ahead(conn, now))
    future = read_future(conn, now)
    counts: dict[str, int] = {
        str(status): int(count) for status, count in conn.execute(_STATUS_COUNTS)
    }
    waiting = conn.execute(
        "SELECT count(*)::int, min(enqueued_at), extract(epoch FROM now() - min(enqueued_at)) FROM lightfast.raw_queue"
    ).fetchone()
    assert waiting is not None
    deliveries = {"received": waiting[0]}
    for name in ("delivered", "filtered", "parked", "dlq"):
        deliveries[name] = counts.get(name, 0)
    sizes = conn.execute(
        """
        SELECT (SELECT count(*) FROM lightfast.observations), (SELECT count(*) FROM lightfast.entities),
               (SELECT count(*) FROM lightfast.relationships), (SELECT count(*) FROM lightfast.actors),
               (SELECT count(*) FROM lightfast.clusters), (SELECT max(received_at) FROM lightfast.raw_payloads)
        """
    ).fetchone()
    assert sizes is not None
    names = ("observations", "entities", "relationships", "actors", "clusters")
    hosted = hosted_progress(conn)
    given_up = stage_failures.counts(conn)
    reasons = dict_rows(
        conn,
        """
        SELECT status, reason, count(*)::int AS deliveries FROM lightfast.outcomes
        WHERE status <> 'delivered' GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT %s
        """,
        (_SHOWN,),
    )
    conn.rollback()
    return {
        "deliveries": deliveries,
        "lag": {
            "oldest_waiting_since": waiting[1].isoformat() if waiting[1] else None,
            "seconds": round(float(waiting[2]), 1) if waiting[2] is not None else 0.0,
            "last_received_at": sizes[5].isoformat() if sizes[5] else None,
        },
        "given_up_by_stages": given_up,
        **({"hosted_vectors": asdict(hosted)} if hosted else {}),
        "memory": dict(zip(names, sizes[:5], strict=True)),
        "clocks": {
            "this_machine": clock_difference or "agrees with the database's clock",
            "deliveries_on_days_to_come": future.deliveries,
            "last_of_these_days": future.last_day.isoformat() if future.last_day else None,
            "observations_dated_after_now": future.observations,
        },
        "reasons": reasons,
    }
