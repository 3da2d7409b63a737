"""Counts how often the capture of a payload was attempted, and decides what follows from it.

An attempt is counted before it begins, so one that ends the process (no memory left, a crash, a kill)
counts too. Each time a batch fails, its payloads are taken again in a smaller one, and finally one by one:
this isolates the payload at fault, and the others are captured. A payload is at fault only if others are
captured meanwhile; otherwise the machine is, and no payload is blamed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from lightfast_pipelines.capture.queue.claims import hold_queued
from lightfast_pipelines.capture.raw_payloads import RawPayload, load_raw_payloads
from lightfast_pipelines.inbox.faults import describe_error
from lightfast_pipelines.store.database import Connection

# One in a batch, one in a small batch, and two alone.
MOST_ATTEMPTS = 4
SMALL_BATCH = 20
# How many payloads that were captured before are tried again, to see whether the machine works.
_PROBES = 3

_log = logging.getLogger(__name__)


def batch_rows(attempts: int, rows: int) -> int:
    """The batch size for payloads with this many attempts; `rows` is the usual batch size."""
    if attempts == 0:
        return rows
    return min(rows, SMALL_BATCH) if attempts == 1 else 1


def begin(conn: Connection, raws: Sequence[RawPayload]) -> None:
    """Counts an attempt for each of these payloads, in a transaction of its own."""
    # A power cut may lose this count, which does no harm, so there is no need to wait for the disk.
    conn.execute("SELECT set_config('synchronous_commit', 'off', true)")
    _count(conn, raws, 1)
    conn.commit()


def take_back(conn: Connection, raws: Sequence[RawPayload]) -> None:
    """Takes back the attempt under way: no payload was at fault."""
    hold_queued(conn, [raw.id for raw in raws])
    _count(conn, raws, -1)
    conn.commit()


def waits_again(conn: Connection, under_way: Sequence[RawPayload]) -> bool:
    """Whether payloads wait that were attempted before, besides those under way."""
    [(waits,)] = conn.execute(
        """
        SELECT EXISTS (
          SELECT FROM lightfast.raw_queue WHERE attempts > 0 AND raw_payload_id <> ALL(%s))
        """,
        ([raw.id for raw in under_way],),
    ).fetchall()
    return bool(waits)


def _count(conn: Connection, raws: Sequence[RawPayload], change: int) -> None:
    conn.execute(
        # A row that was put back into the queue meanwhile has no attempt to take back, and one with a
        # negative number would never be taken.
        """
        UPDATE lightfast.raw_queue SET attempts = greatest(attempts + %s, 0)
        WHERE raw_payload_id = ANY(%s)
        """,
        (change, [raw.id for raw in raws]),
    )


def others_go_through(
    conn: Connection, suspects: Sequence[RawPayload], try_out: Callable[[RawPayload], None]
) -> bool | None:
    """Whether other payloads can be captured at this moment; None if there are none to try.

    `try_out` captures a payload that was captured before; what it writes is rolled back.
    """
    probes = conn.execute(
        """
        SELECT id FROM (
          SELECT p.id, octet_length(b.body) AS size
          FROM lightfast.outcomes o JOIN lightfast.raw_payloads p ON p.id = o.raw_payload_id
          JOIN lightfast.raw_bodies b ON b.raw_payload_id = p.id AND b.received_at = p.received_at
          WHERE o.status = 'delivered' AND o.raw_payload_id <> ALL(%s)
            AND NOT EXISTS (SELECT FROM lightfast.raw_queue q WHERE q.raw_payload_id = p.id)
          ORDER BY o.id DESC LIMIT 20
        ) latest ORDER BY size, id LIMIT %s
        """,
        ([raw.id for raw in suspects], _PROBES),
    ).fetchall()
    conn.rollback()
    for (raw_id,) in probes:
        [probe] = load_raw_payloads(conn, {raw_id: 0})
        try:
            try_out(probe)
        except Exception as error:
            _log.warning("payload %d does not go through now: %s", probe.id, describe_error(error))
        else:
            return True
        finally:
            conn.rollback()
    return False if probes else None
