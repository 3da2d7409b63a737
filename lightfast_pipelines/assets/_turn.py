"""One run of a stage at a time, decided by an advisory lock in Postgres.

A run started by hand waits for the lock. One requested by a sensor or a schedule waits for a bounded
time, then succeeds without materializing: its work stays in the tables and is requested again. Each
stage has its own lock, so the next run captures while this one embeds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date
from typing import TypedDict

import dagster as dg
import psycopg

from lightfast_pipelines.partitions import today
from lightfast_pipelines.resources.database import PENDING_TAG, waiting_to_capture
from lightfast_pipelines.settings import settings
from lightfast_pipelines.store.clocks import with_later_days
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.locks import job_lock, let_others_in, presence, who_holds
from lightfast_pipelines.store.time_limit import TimeLimit

# The runs of today and of the backlog alternate; one holds the lock for about this long.
CAPTURE_PATIENCE_SECONDS = 20
# Short, or the sensor's runs would fill every slot behind a long consolidation.
SENSOR_PATIENCE_SECONDS = 5
# Longer than any stage of a sensor's run, and much shorter than the schedules' intervals.
SCHEDULE_PATIENCE_SECONDS = 120
_SCHEDULE_TAG = "dagster/schedule_name"
_EVERYTHING = 2**31 - 1


def asked_by_sensor(context: dg.AssetExecutionContext) -> bool:
    """Whether the run takes only pending work instead of reprocessing its days."""
    return PENDING_TAG in context.run.tags


def days_of(context: dg.AssetExecutionContext) -> list[date]:
    """The days of the run, in order."""
    return [date.fromisoformat(key) for key in context.partition_keys]


def days_taken(context: dg.AssetExecutionContext, conn: Connection) -> list[date]:
    """The days of the run. A run over today also takes later days, which exist if a clock was ahead."""
    days = days_of(context)
    taken = with_later_days(conn, days, today())
    conn.rollback()
    if len(taken) > len(days):
        context.log.warning(
            "%d days after today have deliveries, up to %s, as a clock was ahead: taken with today",
            *(len(taken) - len(days), taken[-1]),
        )
    return taken


def patience(tags: Mapping[str, str], stage: str) -> int | None:
    """Seconds that a run with these tags waits for the lock; None means without limit."""
    if PENDING_TAG in tags:
        return CAPTURE_PATIENCE_SECONDS if stage == "capture" else SENSOR_PATIENCE_SECONDS
    return SCHEDULE_PATIENCE_SECONDS if _SCHEDULE_TAG in tags else None


class StageOptions(TypedDict):
    """How much of its work a stage does in a run, by the names of its parameters."""

    days: Sequence[date]
    max_rows: int
    progress: Callable[[int], None]
    between: Callable[[], None]
    time_limit: TimeLimit


def stage_options(
    context: dg.AssetExecutionContext, conn: Connection, stage: str, things: str
) -> StageOptions:
    """A run started by hand does all pending work of its days, the sensor's run a bounded part of it."""
    return StageOptions(
        days=days_taken(context, conn),
        max_rows=settings().run_rows if asked_by_sensor(context) else _EVERYTHING,
        progress=progress_log(context, things),
        # After each batch a waiting run gets the lock first.
        between=lambda: let_others_in(conn, stage),
        time_limit=TimeLimit(batch=settings().batch_seconds),
    )


@contextmanager
def turn(
    context: dg.AssetExecutionContext, database: Database, stage: str
) -> Iterator[Connection | None]:
    """A connection that holds the lock of `stage`, or None if another run keeps it for too long."""
    with (
        database.connect("pipeline", application_name=f"lightfast {stage}") as conn,
        ExitStack() as held,
    ):
        if not held.enter_context(job_lock(conn, stage, wait=False)):
            seconds = patience(context.run.tags, stage)
            context.log.info(
                "Another run is at work on %s, %s: waiting %s.",
                stage,
                who_holds(conn, stage),
                "for it to end" if seconds is None else f"up to {seconds} s",
            )
            with ExitStack() as while_waiting:
                if stage == "capture" and asked_by_sensor(context):
                    # This keeps the sensor from requesting a second run for the same deliveries.
                    kind = context.run.tags[PENDING_TAG]
                    while_waiting.enter_context(presence(conn, waiting_to_capture(kind)))
                got = _wait(held, conn, stage, seconds)
            if not got:
                context.log.info(
                    "It still is after %d s: pending work is left to the next run.", seconds
                )
                yield None
                return
        yield conn


def _wait(held: ExitStack, conn: Connection, stage: str, seconds: int | None) -> bool:
    """Whether the lock was acquired within `seconds` (None means without limit)."""
    conn.execute("SELECT set_config('lock_timeout', %s, false)", (f"{seconds or 0}s",))
    conn.commit()
    try:
        held.enter_context(job_lock(conn, stage, wait=True))
    except psycopg.errors.LockNotAvailable:
        conn.rollback()
        return False
    conn.execute("SELECT set_config('lock_timeout', '0', false)")
    conn.commit()
    return True


@contextmanager
def present_at_first(
    conn: Connection,
    kind: str,
    seconds: float,
    monotonic: Callable[[], float] = time.monotonic,
) -> Iterator[Callable[[], None]]:
    """Shows a presence during the block, but not for longer than `seconds`, as far as what it yields is
    called now and then."""
    ends = monotonic() + seconds
    with ExitStack() as shown:
        shown.enter_context(presence(conn, kind))

        def end_in_time() -> None:
            if monotonic() >= ends:
                shown.close()

        yield end_in_time


def progress_log(context: dg.AssetExecutionContext, things: str) -> Callable[[int], None]:
    """A callback that adds up counts and writes a line to the run's log at every 2,000."""
    total = 0

    def progress(count: int) -> None:
        nonlocal total
        total_before, total = total, total + count
        if total // 2_000 > total_before // 2_000:
            context.log.info("%s %s so far", f"{total:,}", things)

    return progress
