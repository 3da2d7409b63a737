"""Which tenant's a waiting delivery is: its lane of the queue, found before it is captured.

Deliveries that one secret verifies may be many tenants'. The receiver does not read bodies, so the
pipeline looks here: at what became of a payload before, else at the resource its body names. A lane is
the workspace where that is linked. Whatever is linked nowhere shares one lane, or a tenant with a
thousand unlinked repositories would have a thousand turns.
"""

from __future__ import annotations

from collections.abc import Sequence

from lightfast_pipelines.capture.raw_payloads import RawPayload, load_raw_payloads
from lightfast_pipelines.capture.reach import reach
from lightfast_pipelines.capture.reading import read_route
from lightfast_pipelines.store.database import Connection

LINKED_NOWHERE = 0
"""Lane of what names no linked resource."""
UNREADABLE = -1
"""Lane of what cannot be read, or ended the process that tried."""
NOT_LOOKED_AT = -2
"""Lane, for taking turns alone, of what nobody looked at yet; the column is null."""

# At most so much is looked at before a batch: half a second of work.
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

_SIZES = """
SELECT p.id, coalesce(octet_length(b.body), 0)
FROM unnest(%s::bigint[]) WITH ORDINALITY AS k (id, position)
JOIN lightfast.raw_payloads p ON p.id = k.id
LEFT JOIN lightfast.raw_bodies b ON b.raw_payload_id = p.id AND b.received_at = p.received_at
ORDER BY k.position
"""


def look(conn: Connection, rows: int = LOOK_ROWS) -> int:
    """Gives a lane to at most `rows` deliveries that have none; returns how many. Commits.

    From both ends: what came last need not wait until a million before it were looked at.
    """
    half = (rows + 1) // 2
    newest = [row[0] for row in conn.execute(_NEWEST, (half,))]
    if not newest:
        return 0
    oldest = [row[0] for row in conn.execute(_OLDEST, (half,))]
    known = {row[0] for row in conn.execute(_BY_OUTCOME, ([*newest, *oldest],))}
    chosen = _within_bytes(conn, [one for one in newest if one not in known])
    taken = known.union(chosen)
    chosen += _within_bytes(conn, [one for one in oldest if one not in taken])
    # Noted before it is read: what ends the process is not looked at a second time.
    _set(conn, dict.fromkeys(chosen, UNREADABLE))
    conn.commit()
    _set(conn, _read_lanes(conn, load_raw_payloads(conn, dict.fromkeys(chosen, 0))))
    conn.commit()
    return len(known) + len(chosen)


def _within_bytes(conn: Connection, ids: Sequence[int]) -> list[int]:
    """The first of these, as many as may be read at once; at least one."""
    chosen: list[int] = []
    total = 0
    for identifier, size in conn.execute(_SIZES, (list(ids),)) if ids else ():
        total += size
        if chosen and total > _LOOK_BYTES:
            break
        chosen.append(identifier)
    return chosen


def _read_lanes(conn: Connection, raws: Sequence[RawPayload]) -> dict[int, int]:
    """The lanes of those that can be read."""
    readings = [reading for raw in raws if (reading := read_route(raw)) is not None]
    reached = reach(conn, readings)
    return {
        reading.raw.id: min(
            (one.link.workspace_id for one in reached[reading.raw.id]), default=LINKED_NOWHERE
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
