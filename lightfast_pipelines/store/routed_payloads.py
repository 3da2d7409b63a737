"""The payloads that a resource routed: whether there are any, and putting them back into the queue."""

from __future__ import annotations

from lightfast_pipelines.store.database import Connection

# Whether the resource routed the payload of an outcome `o`; `key` is what _keys_like returns.
_ROUTED = """
  (o.resource_key LIKE %(key)s
   OR EXISTS (SELECT FROM unnest(o.routes) AS r (key) WHERE r.key LIKE %(key)s))
"""


def requeue_resource(conn: Connection, provider: str, resource_id: str) -> int:
    """Puts every payload that was routed by this resource back into the queue; returns how many."""
    # What waits without a workspace may belong to this one now.
    conn.execute(
        """
        WITH held AS MATERIALIZED (
          SELECT raw_payload_id FROM lightfast.raw_queue WHERE lane = 0
          ORDER BY raw_payload_id FOR UPDATE
        )
        UPDATE lightfast.raw_queue q SET lane = NULL
        FROM held WHERE q.raw_payload_id = held.raw_payload_id
        """
    )
    requeued = conn.execute(
        f"""
        WITH concerned AS (
          SELECT raw_payload_id FROM lightfast.outcomes o
          WHERE {_ROUTED}
          UNION
          SELECT raw_payload_id FROM lightfast.lifecycle_events
          WHERE provider = %(provider)s AND subject_kind = 'resource' AND subject_id = %(id)s
        )
        INSERT INTO lightfast.raw_queue (raw_payload_id, partition_date)
        SELECT p.id, p.partition_date
        FROM concerned c JOIN lightfast.raw_payloads p ON p.id = c.raw_payload_id
        WHERE p.provider = %(provider)s ORDER BY p.id
        ON CONFLICT DO NOTHING
        """,
        {
            "key": _keys_like(provider, resource_id),
            "provider": provider,
            "id": resource_id,
        },
    )
    return requeued.rowcount


def has_arrived(conn: Connection, provider: str, resource_id: str) -> bool:
    """Whether any delivery was routed by this id."""
    row = conn.execute(
        f"SELECT EXISTS (SELECT FROM lightfast.outcomes o WHERE {_ROUTED})",
        {"key": _keys_like(provider, resource_id)},
    ).fetchone()
    return bool(row and row[0])


def _keys_like(provider: str, resource_id: str) -> str:
    """The pattern of the keys of a resource of whatever kind."""
    return f"{_like(provider)}:%:{_like(resource_id)}"


def _like(value: str) -> str:
    return value.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
