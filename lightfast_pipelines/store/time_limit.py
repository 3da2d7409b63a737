"""Ends a batch that takes too long, whether it is Postgres or Python that does not come to an end.

Whether one of its payloads is to blame is decided in `attempts.py`.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from psycopg.pq import TransactionStatus

from lightfast_pipelines.store.database import Connection

_MIB = 1024 * 1024
# A statement may have ended just before the server was told to cancel it, and the next one begun: the
# alarm rings again until it rings between two statements. It tells the server again now and then.
_AGAIN_SECONDS = 0.01
_RINGS_A_CANCEL = 50
_MOST_RINGS = 2_000
_CANCEL_SECONDS = 2.0
# What the alarm raised may have been swallowed (in a destructor, say).
_RAISE_AGAIN_SECONDS = 5.0


class OutOfTime(Exception):
    """Python code of a batch ran longer than the batch may take."""


@dataclass(frozen=True, slots=True)
class TimeLimit:
    """Seconds that a batch may take: some for itself, for each of its rows and for each MiB of them.
    What is only tried, to see whether the machine is well, may take `leisure` times as long.

    A hundred times what batches take on a small machine. One that is slower still loses nothing by
    it: what did not end in time is taken again in smaller batches.
    """

    batch: float = 30.0
    row: float = 0.1
    mebibyte: float = 5.0
    leisure: float = 10.0

    def of(self, rows: int, size: int) -> float:
        return self.batch + rows * self.row + size / _MIB * self.mebibyte


@contextmanager
def within(conn: Connection, seconds: float) -> Iterator[None]:
    """Raises OutOfTime or QueryCanceled inside the block after `seconds`; the block's transaction ends
    with it.

    Postgres ends a single statement itself. Python code is interrupted by an alarm, in the middle of
    a regular expression too; Python delivers alarms to the main thread only, in which commands and
    Dagster's steps run. Where capture runs in another thread, only statements are bounded.
    """
    conn.execute(
        "SELECT set_config('statement_timeout', %s, true)", (f"{max(1, round(seconds * 1000))}ms",)
    )
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    rings = 0

    def ring(_signal: int, _frame: FrameType | None) -> None:
        nonlocal rings
        # Raised while the server is at work on a statement, it would leave the connection unusable.
        if conn.pgconn.transaction_status == TransactionStatus.ACTIVE and rings < _MOST_RINGS:
            if rings % _RINGS_A_CANCEL == 0:
                conn.cancel_safe(timeout=_CANCEL_SECONDS)
            rings += 1
            return
        signal.setitimer(signal.ITIMER_REAL, _RAISE_AGAIN_SECONDS, _RAISE_AGAIN_SECONDS)
        raise OutOfTime(f"took longer than {seconds:g} s")

    handler = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
