"""How often a payload was taken without an end, and what follows from it.

An attempt is noted before it begins, so one that ends the process (no memory left, a crash, a kill)
is counted too. Each time a batch does not end well its payloads are taken again in a smaller one, in
the end alone: so the one at fault is found, and the others are captured. It is at fault only if other
payloads go through meanwhile; else the machine is, and nobody is blamed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from lightfast_pipelines.capture.raw_payloads import RawPayload, load_raw_payloads
from lightfast_pipelines.inbox.faults import describe_error
from lightfast_pipelines.store.database import Connection

# In a batch, in a small one, and twice alone.
MOST_ATTEMPTS = 4
SMALL_BATCH = 20
# Payloads that were captured before and are captured once more, to see whether the machine is well.
_PROBES = 3

_log = logging.getLogger(__name__)


def batch_rows(attempts: int, rows: int) -> int:
    """How many payloads that were attempted so often go into one batch; `rows` is the usual number."""
    if attempts == 0:
        return rows
    return min(rows, SMALL_BATCH) if attempts == 1 else 1


def begin(conn: Connection, raws: Sequence[RawPayload]) -> None:
    """Notes in a transaction of its own that these payloads are about to be captured."""
    # What a power cut forgets here is taken as if it had not been tried: no reason to wait for a disk.
    conn.execute("SELECT set_config('synchronous_commit', 'off', true)")
    _count(conn, raws, 1)
    conn.commit()


def take_back(conn: Connection, raws: Sequence[RawPayload]) -> None:
    """The attempt under way was nobody's fault: it does not count."""
    _count(conn, raws, -1)
    conn.commit()


def _count(conn: Connection, raws: Sequence[RawPayload], change: int) -> None:
    conn.execute(
        "UPDATE lightfast.raw_queue SET attempts = attempts + %s WHERE raw_payload_id = ANY(%s)",
        (change, [raw.id for raw in raws]),
    )


def others_go_through(
    conn: Connection, suspects: Sequence[RawPayload], try_out: Callable[[RawPayload], None]
) -> bool | None:
    """Whether the machine captures other payloads at this moment; None where there is none to try.

    `try_out` captures a payload that was captured before; what it writes is rolled back.
    """
    known = conn.execute(
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
    for (identifier,) in known:
        [probe] = load_raw_payloads(conn, {identifier: 0})
        try:
            try_out(probe)
        except Exception as error:
            _log.warning("payload %d does not go through now: %s", probe.id, describe_error(error))
        else:
            return True
        finally:
            conn.rollback()
    return False if known else None
