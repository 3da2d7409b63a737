"""Keeps other sessions away from rows of the queue, and notices what they have captured meanwhile.

The job lock `capture` lets one session take batches at a time. This is for what it cannot prevent: sessions
behind a pooler that shares connections, and commands that change rows of the queue.
"""

from __future__ import annotations

from collections.abc import Collection

from lightfast_pipelines.store.database import Connection


def hold_queued(conn: Connection, raw_ids: Collection[int]) -> dict[int, int]:
    """Locks the queue rows of these payloads until the transaction ends; returns how often each of those
    that still wait was attempted.

    Everybody locks them in the order of their ids, before changing or deleting any, so that no two
    sessions wait for each other.
    """
    if not raw_ids:
        return {}
    rows = conn.execute(
        """
        SELECT raw_payload_id, attempts FROM lightfast.raw_queue
        WHERE raw_payload_id = ANY(%s) ORDER BY raw_payload_id FOR UPDATE
        """,
        (list(raw_ids),),
    )
    return dict(rows.fetchall())
