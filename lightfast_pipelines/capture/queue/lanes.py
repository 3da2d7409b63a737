"""Finds the tenant of each waiting delivery, its lane of the queue, before it is captured.

Deliveries that one secret verifies may belong to many tenants, and the receiver does not read bodies. So
the lane is found here: from the delivery's earlier outcome, else from the resource that its body names. A
lane is the workspace to which that resource is linked. Deliveries of resources that are linked nowhere
share one lane; otherwise a tenant with a thousand unlinked repositories would get a thousand turns.
"""

from __future__ import annotations

from collections.abc import Sequence

from lightfast_pipelines.capture.queue.claims import hold_queued
from lightfast_pipelines.capture.raw_payloads import (
    RawPayload,
    body_sizes,
    first_within,
    load_raw_payloads,
)
from lightfast_pipelines.capture.reach import reach
from lightfast_pipelines.capture.reading import read_route
from lightfast_pipelines.store.database import Connection

LINKED_NOWHERE = 0
"""Lane of deliveries that name no linked resource."""
UNREADABLE = -1
"""Lane of deliveries that cannot be read, or ended the process that tried."""
NOT_LOOKED_AT = -2
"""Lane of deliveries whose lane has not been found yet; in the table the column is null."""

# The most deliveries that are looked at before a batch: half a second of work.
LOOK_ROWS = 5_000
_LOOK_BYTES = 8 * 1024 * 1024

_OLDEST = """
SELECT raw_payload_id FROM lightfast.raw_queue WHERE lane IS NULL
ORDER BY enqueued_at, raw_payload_id LIMIT %s
"""
_NEWEST = """
SELECT raw_payload_id FROM lightfast.raw_queue WHERE lane IS NULL
ORDER BY enqueued_at DESC, raw_payload_id DESC LIMIT %s
"""

_BY_OUTCOME = """
UPDATE lightfast.raw_queue q SET lane = o.lane
FROM (
  SELECT raw_payload_id, min(workspace_id) AS lane FROM lightfast.outcomes
  WHERE raw_payload_id = ANY(%s) AND workspace_id IS NOT NULL GROUP BY 1
) o
WHERE q.raw_payload_id = o.raw_payload_id
RETURNING q.raw_payload_id
"""


def look(conn: Connection, rows: int = LOOK_ROWS) -> int:
    """Gives a lane to at most `rows` deliveries that have none; returns how many. Commits.

    Half are the newest and half the oldest: new ones do not wait until a million before them have lanes.
    """
    half = (rows + 1) // 2
    newest = [row[0] for row in conn.execute(_NEWEST, (half,))]
    if not newest:
        return 0
    oldest = [row[0] for row in conn.execute(_OLDEST, (half,))]
    hold_queued(conn, [*newest, *oldest])
    settled = {row[0] for row in conn.execute(_BY_OUTCOME, ([*newest, *oldest],))}
    chosen: list[int] = []
    for ids in (newest, oldest):
        rest = [raw_id for raw_id in ids if raw_id not in settled and raw_id not in chosen]
        chosen += first_within(body_sizes(conn, rest), _LOOK_BYTES)
    # The lane is set before the payload is read: one that ends the process is not looked at again.
    _set(conn, dict.fromkeys(chosen, UNREADABLE))
    conn.commit()
    lanes = _read_lanes(conn, load_raw_payloads(conn, dict.fromkeys(chosen, 0)))
    hold_queued(conn, lanes)
    _set(conn, lanes)
    conn.commit()
    return len(settled) + len(chosen)


def _read_lanes(conn: Connection, raws: Sequence[RawPayload]) -> dict[int, int]:
    """The lanes of the payloads that can be read."""
    readings = [reading for raw in raws if (reading := read_route(raw)) is not None]
    reached = reach(conn, readings)
    return {
        reading.raw.id: min(
            (destination.link.workspace_id for destination in reached[reading.raw.id]),
            default=LINKED_NOWHERE,
        )
        for reading in readings
    }


def _set(conn: Connection, lanes: dict[int, int]) -> None:
    conn.execute(
        """
        UPDATE lightfast.raw_queue q SET lane = k.lane
        FROM unnest(%s::bigint[], %s::bigint[]) AS k (id, lane)
        WHERE q.raw_payload_id = k.id
        """,
        (list(lanes), list(lanes.values())),
    )
