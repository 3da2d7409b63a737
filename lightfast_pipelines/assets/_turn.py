"""Whose turn it is: one run of a stage at a time, decided by an advisory lock in Postgres.

A run by hand waits for its turn. One that a sensor or a schedule asked for waits for a bounded time
and else ends well without materializing: its work still waits in the tables and is asked for again.
Each stage has a lock of its own: while one run embeds, the next captures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import date

import dagster as dg
import psycopg

from lightfast_pipelines.partitions import today
from lightfast_pipelines.resources.database import PENDING_TAG, waiting_to_capture
from lightfast_pipelines.store.clocks import with_later_days
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.locks import job_lock, presence, who_holds

# Today's run and the backlog's follow each other: one holds the lock about this long.
CAPTURE_PATIENCE_SECONDS = 20
# Behind a long consolidation the sensor's runs would fill every slot; what they leave is asked for again.
SENSOR_PATIENCE_SECONDS = 5
# Longer than any stage of a sensor's run, and much shorter than the schedules' intervals.
SCHEDULE_PATIENCE_SECONDS = 120
_SCHEDULE_TAG = "dagster/schedule_name"


def asked_by_sensor(context: dg.AssetExecutionContext) -> bool:
    """Whether the run takes only what waits, rather than reprocess its days."""
    return PENDING_TAG in context.run.tags


def days_of(context: dg.AssetExecutionContext) -> list[date]:
    """The days of the run, in order."""
    return [date.fromisoformat(key) for key in context.partition_keys]


def days_taken(context: dg.AssetExecutionContext, conn: Connection) -> list[date]:
    """The days of the run, with today's also those that a clock that was ahead has left after it."""
    days = days_of(context)
    taken = with_later_days(conn, days, today())
    conn.rollback()
    if len(taken) > len(days):
        context.log.warning(
            "%d days after today have deliveries, up to %s, as a clock was ahead: taken with today's",
            *(len(taken) - len(days), taken[-1]),
        )
    return taken


def patience(tags: Mapping[str, str], stage: str) -> int | None:
    """Seconds that a run with these tags waits for its turn; None: as long as it takes."""
    if PENDING_TAG in tags:
        return CAPTURE_PATIENCE_SECONDS if stage == "capture" else SENSOR_PATIENCE_SECONDS
    return SCHEDULE_PATIENCE_SECONDS if _SCHEDULE_TAG in tags else None


@contextmanager
def turn(
    context: dg.AssetExecutionContext, database: Database, stage: str
) -> Iterator[Connection | None]:
    """A connection that holds the lock of `stage`, or None where it is not this run's turn."""
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
                    # The sensor asks for no second run that would wait for the same deliveries.
                    kind = context.run.tags[PENDING_TAG]
                    while_waiting.enter_context(presence(conn, waiting_to_capture(kind)))
                got = _wait(held, conn, stage, seconds)
            if not got:
                context.log.info(
                    "It still is after %d s: what waits is left to the next run.", seconds
                )
                yield None
                return
        yield conn


def _wait(held: ExitStack, conn: Connection, stage: str, seconds: int | None) -> bool:
    """Whether the lock was got within `seconds` (None: however long it takes)."""
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


def progress_log(context: dg.AssetExecutionContext, things: str) -> Callable[[int], None]:
    """A callback that sums what it is told and writes a line into the run's log every 2,000."""
    done = 0

    def progress(count: int) -> None:
        nonlocal done
        before, done = done, done + count
        if done // 2_000 > before // 2_000:
            context.log.info("%s %s so far", f"{done:,}", things)

    return progress
