"""Decides how much of the queue one run takes: slices, until its days are done or its time is up.

The caller holds the job lock `capture`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from lightfast_pipelines.capture.kept_readings import KeptReadings
from lightfast_pipelines.capture.queue.batches import CaptureReport, capture
from lightfast_pipelines.inbox.pending import queued
from lightfast_pipelines.inbox.requeue import requeue_days
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.locks import let_others_in
from lightfast_pipelines.store.time_limit import TimeLimit

# A slice is a few seconds of work; the time is checked between slices.
SLICE_ROWS = 4_000
SLICE_BYTES = 32 * 1024 * 1024
_TIME_LIMIT = TimeLimit()


@dataclass(frozen=True, slots=True)
class Bounds:
    """The limits of a run; `seconds` is checked between slices, `time_limit` ends a batch."""

    rows: int
    seconds: float
    batch_rows: int
    time_limit: TimeLimit = _TIME_LIMIT


def take_waiting(
    conn: Connection,
    days: Sequence[date],
    bounds: Bounds,
    progress: Callable[[int], None] | None = None,
    between: Callable[[], None] = lambda: None,
) -> CaptureReport:
    """Captures the waiting deliveries of these days; calls `between` after each slice but the last."""
    began = time.monotonic()
    kept = KeptReadings()
    total = CaptureReport()
    while True:
        report = capture(
            conn,
            days=days,
            max_bytes=SLICE_BYTES,
            max_rows=min(SLICE_ROWS, bounds.rows - total.deliveries),
            batch_rows=bounds.batch_rows,
            now=datetime.now(UTC),
            progress=progress,
            kept=kept,
            time_limit=bounds.time_limit,
        )
        total.add(report)
        is_time_up = time.monotonic() - began >= bounds.seconds
        if not total.more or total.deliveries >= bounds.rows or is_time_up:
            return total
        between()


def take_arriving(
    conn: Connection,
    days: Sequence[date],
    bounds: Bounds,
    progress: Callable[[int], None] | None = None,
    between: Callable[[], None] = lambda: None,
    *,
    quiet_seconds: int,
    is_relieved: Callable[[], bool] = lambda: False,
    pause: Callable[[float], None] = time.sleep,
) -> CaptureReport:
    """Like `take_waiting`; then captures what arrives, until nothing has arrived for `quiet_seconds`, or
    somebody else is there to do it.

    One piece of work causes several deliveries within seconds (a push, its checks, a deployment): they
    share a run, and are captured within a second of their arrival.
    """
    began = time.monotonic()
    total = take_waiting(conn, days, bounds, progress, between)
    quiet = 0
    while quiet < quiet_seconds and time.monotonic() - began < bounds.seconds:
        if is_relieved():
            break
        pause(1.0)
        between()
        quiet += 1
        left = bounds.rows - total.deliveries
        if left > 0 and _any_waits(conn, days):
            rest = replace(bounds, rows=left, seconds=bounds.seconds - (time.monotonic() - began))
            total.add(take_waiting(conn, days, rest, progress, between))
            quiet = 0
    return total


def _any_waits(conn: Connection, days: Sequence[date]) -> bool:
    waits = queued(conn, days) > 0
    conn.rollback()
    return waits


def reprocess(
    conn: Connection,
    days: Sequence[date],
    *,
    batch_rows: int,
    time_limit: TimeLimit = _TIME_LIMIT,
    progress: Callable[[int], None] | None = None,
) -> CaptureReport:
    """Puts every delivery of these days back into the queue and captures them all.

    That may be years of deliveries: between slices, a run that waits for its turn gets it.
    """
    requeue_days(conn, days)
    # Without this limit, a day that still receives deliveries would never be finished.
    rows = max(1, queued(conn, days))
    conn.commit()
    bounds = Bounds(rows, float("inf"), batch_rows, time_limit)
    return take_waiting(conn, days, bounds, progress, lambda: let_others_in(conn, "capture"))
