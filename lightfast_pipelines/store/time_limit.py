"""Ends a batch that takes too long, whether in Postgres or in Python.

`capture/queue/attempts.py` and `inbox/isolation.py` decide whether one of its rows is to blame.
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
# A statement may end just before the server gets the request to cancel it, and the next one begin. So the
# alarm repeats until it goes off between two statements, and repeats the request now and then.
_AGAIN_SECONDS = 0.01
_RINGS_A_CANCEL = 50
_MOST_RINGS = 2_000
_CANCEL_SECONDS = 2.0
# The exception that the alarm raised may be swallowed, for example in a destructor.
_RAISE_AGAIN_SECONDS = 5.0


class OutOfTime(Exception):
    """The Python code of a batch ran longer than allowed."""


@dataclass(frozen=True, slots=True)
class TimeLimit:
    """Seconds that a batch may take: for the batch itself, for each row and for each MiB.

    They are a hundred times what batches take on a small machine. A slower machine loses nothing, because
    what takes too long is tried again in smaller batches. A trial, to see whether the machine is well, may
    take `leisure` times as long.
    """

    batch: float = 30.0
    row: float = 0.1
    mebibyte: float = 5.0
    leisure: float = 10.0

    def of(self, rows: int, size: int) -> float:
        return self.batch + rows * self.row + size / _MIB * self.mebibyte


@contextmanager
def within(conn: Connection, seconds: float) -> Iterator[None]:
    """Raises OutOfTime or QueryCanceled in the block after `seconds`, which ends its transaction.

    Postgres ends a single statement itself. An alarm interrupts Python code, even within a regular
    expression. Python delivers alarms only to the main thread, in which commands and Dagster's steps
    run; in another thread only statements are bounded.
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
        # An exception during a statement would leave the connection unusable.
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
