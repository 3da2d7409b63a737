"""Takes the next batch out of the queue: tenants take turns, within limits on rows and bytes.

`domain/turns.py` decides which tenant's turn it is, `lanes.py` which tenant a delivery belongs to.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from itertools import groupby
from typing import Any, LiteralString

from lightfast_pipelines.capture.queue.attempts import SMALL_BATCH, batch_rows
from lightfast_pipelines.capture.queue.claims import hold_queued
from lightfast_pipelines.capture.queue.lanes import LOOK_ROWS, NOT_LOOKED_AT, look
from lightfast_pipelines.capture.raw_payloads import RawPayload, first_within, load_raw_payloads
from lightfast_pipelines.domain.turns import BatchLimits, Queued, TurnKind, next_batch, next_lane
from lightfast_pipelines.store.database import Connection

_MIB = 1024 * 1024
# 8 MiB of pushes are about 20,000 commits, or ten seconds; 200 ordinary deliveries are 2 to 6 MiB.
BATCH_BYTES = 8 * _MIB
LARGE_BYTES = 1 * _MIB

_OF_DAYS: LiteralString = """
  (%(all)s OR (q.partition_date BETWEEN %(first)s AND %(last)s AND q.partition_date = ANY(%(days)s)))
"""

_COUNT: LiteralString = f"""
SELECT count(*) FROM (
  SELECT FROM lightfast.raw_queue q WHERE q.attempts = 0 AND {_OF_DAYS} LIMIT %(rows)s + 1
) few
"""


def _lanes(column: LiteralString, condition: LiteralString) -> LiteralString:
    """SQL that lists each lane once, with one index look-up per lane, however long the lane is."""
    return f"""
WITH RECURSIVE lanes AS (
  (
    SELECT {column} AS lane FROM lightfast.raw_queue q WHERE {column} IS NOT NULL AND {condition}
    ORDER BY {column} LIMIT 1
  )
  UNION ALL
  SELECT (
    SELECT {column} FROM lightfast.raw_queue q WHERE {column} > l.lane AND {condition}
    ORDER BY {column} LIMIT 1
  ) FROM lanes l WHERE l.lane IS NOT NULL
)
SELECT lane FROM lanes WHERE lane IS NOT NULL
"""


_LANES = _lanes("q.lane", "q.attempts = 0")
_LANES_AGAIN = _lanes(f"coalesce(q.lane, {NOT_LOOKED_AT})", "q.attempts > 0")

_BODIES: LiteralString = """
JOIN lightfast.raw_payloads p ON p.id = h.raw_payload_id
LEFT JOIN lightfast.raw_bodies b ON b.raw_payload_id = p.id AND b.received_at = p.received_at
"""

_HEADS: LiteralString = f"""
SELECT h.raw_payload_id, l.lane, coalesce(octet_length(b.body), 0)
FROM unnest(%(lanes)s::bigint[]) AS l (lane)
CROSS JOIN LATERAL (
  SELECT q.raw_payload_id, q.partition_date FROM lightfast.raw_queue q
  WHERE q.lane = l.lane AND q.attempts = 0 AND {_OF_DAYS}
  ORDER BY q.partition_date, q.raw_payload_id LIMIT %(share)s
) h
{_BODIES}
ORDER BY l.lane, h.partition_date, h.raw_payload_id
"""

_OLDEST: LiteralString = f"""
SELECT h.raw_payload_id, {NOT_LOOKED_AT}, coalesce(octet_length(b.body), 0)
FROM (
  SELECT q.raw_payload_id, q.partition_date FROM lightfast.raw_queue q
  WHERE q.attempts = 0 AND {_OF_DAYS} AND (q.lane IS NULL OR %(any_lane)s)
  ORDER BY q.partition_date, q.raw_payload_id LIMIT %(rows)s
) h
{_BODIES}
ORDER BY h.partition_date, h.raw_payload_id
"""

_HEADS_AGAIN: LiteralString = f"""
SELECT h.raw_payload_id, l.lane, coalesce(octet_length(b.body), 0), h.attempts
FROM unnest(%(lanes)s::bigint[]) AS l (lane)
CROSS JOIN LATERAL (
  SELECT q.raw_payload_id, q.attempts, q.partition_date FROM lightfast.raw_queue q
  WHERE coalesce(q.lane, {NOT_LOOKED_AT}) = l.lane AND q.attempts > 0 AND {_OF_DAYS}
  ORDER BY q.attempts, q.partition_date, q.raw_payload_id LIMIT %(rows)s
) h
{_BODIES}
ORDER BY l.lane, h.attempts, h.partition_date, h.raw_payload_id
"""


def take(conn: Connection, days: Sequence[date] | None, rows: int) -> list[RawPayload]:
    """Takes up to `rows` waiting payloads of these partition days (None: of all), as many as the byte limit
    allows and at least one, and locks them in the queue; each tenant's oldest day comes first.

    If everything that waits fits into one batch, tenants need not take turns. Payloads that were attempted
    before are left to `take_again`.
    """
    limits = BatchLimits(rows, BATCH_BYTES, LARGE_BYTES)
    parameters = _parameters(days, rows)
    chosen = _all_of(conn, parameters, limits)
    if chosen is None:
        look(conn, max(LOOK_ROWS, rows))
        chosen = _in_turns(conn, parameters, limits)
    return load_raw_payloads(conn, hold_queued(conn, chosen))


def take_again(conn: Connection, days: Sequence[date] | None, rows: int) -> list[RawPayload]:
    """Takes one tenant's payloads that were attempted before: those with the fewest attempts."""
    lanes = [row[0] for row in conn.execute(_LANES_AGAIN)]
    if not lanes:
        return []
    if NOT_LOOKED_AT in lanes:
        look(conn)
        lanes = [row[0] for row in conn.execute(_LANES_AGAIN)]
    parameters = {**_parameters(days, min(rows, SMALL_BATCH)), "lanes": lanes}
    waiting = {
        lane: list(heads)
        for lane, heads in groupby(conn.execute(_HEADS_AGAIN, parameters), key=lambda row: row[1])
    }
    if not waiting:
        return []
    lane = next_lane(waiting, _served(conn), "again")
    fewest = waiting[lane][0][3]
    sizes = [(row[0], row[2]) for row in waiting[lane] if row[3] == fewest]
    chosen = first_within(sizes[: batch_rows(fewest, rows)], BATCH_BYTES)
    _note_turns(conn, {lane}, "again")
    return load_raw_payloads(conn, hold_queued(conn, chosen))


def _parameters(days: Sequence[date] | None, rows: int) -> dict[str, Any]:
    return {
        "all": days is None,
        "days": list(days or ()),
        "first": min(days, default=None) if days else None,
        "last": max(days, default=None) if days else None,
        "rows": rows,
    }


def _all_of(conn: Connection, parameters: dict[str, Any], limits: BatchLimits) -> list[int] | None:
    """The ids of everything that waits, or None if that is too much for one batch."""
    [(count,)] = conn.execute(_COUNT, parameters).fetchall()
    if count > limits.rows:
        return None
    rows = conn.execute(_OLDEST, {**parameters, "any_lane": True}).fetchall()
    sizes = [size for _, _, size in rows]
    if len(sizes) > 1 and (sum(sizes) > limits.size or max(sizes) > limits.large):
        return None
    return [raw_id for raw_id, _, _ in rows]


def _in_turns(conn: Connection, parameters: dict[str, Any], limits: BatchLimits) -> list[int]:
    """The ids of the next batch; records that its lanes had a turn."""
    lanes = [row[0] for row in conn.execute(_LANES)]
    # Twice an equal share for each lane, as most may have less than their share.
    share = -(-2 * limits.rows // max(1, len(lanes)))
    rows = conn.execute(_HEADS, {**parameters, "lanes": lanes, "share": share}).fetchall()
    if not rows:
        # No delivery of these days has a lane yet.
        rows = conn.execute(_OLDEST, {**parameters, "any_lane": False}).fetchall()
    batch = next_batch([Queued(*row) for row in rows], _served(conn), limits)
    if batch:
        kind: TurnKind = "large" if batch[0].size > limits.large else "small"
        _note_turns(conn, {delivery.lane for delivery in batch}, kind)
    return [delivery.id for delivery in batch]


def _served(conn: Connection) -> dict[tuple[int, TurnKind], int]:
    rows = conn.execute("SELECT lane, kind, turn FROM lightfast.queue_turns")
    return {(lane, kind): turn for lane, kind, turn in rows}


def _note_turns(conn: Connection, lanes: Iterable[int], kind: TurnKind) -> None:
    conn.execute(
        """
        INSERT INTO lightfast.queue_turns (lane, kind, turn)
        SELECT lane, %s, (SELECT coalesce(max(turn), 0) + 1 FROM lightfast.queue_turns)
        FROM unnest(%s::bigint[]) AS k (lane)
        ON CONFLICT (lane, kind) DO UPDATE SET turn = excluded.turn
        """,
        (kind, sorted(lanes)),
    )
