"""Whose turn it is: one run of a stage at a time, decided by an advisory lock in Postgres.

A run by hand waits for its turn. A sensor's run waits a little, so that today's run and the
backlog's can follow each other, and else ends well without materializing: its rows still wait, and
the sensor asks again. Each stage has a lock of its own: while one run embeds, the next captures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import date

import dagster as dg
import psycopg

from lightfast_pipelines.resources.database import PENDING_TAG
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.locks import job_lock

# About as long as a run of the sensor holds a lock.
SENSOR_PATIENCE_SECONDS = 20


def asked_by_sensor(context: dg.AssetExecutionContext) -> bool:
    """Whether the run takes only what waits, rather than reprocess its days."""
    return PENDING_TAG in context.run.tags


def days_of(context: dg.AssetExecutionContext) -> list[date]:
    """The days of the run, in order."""
    return [date.fromisoformat(key) for key in context.partition_keys]


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
            patience = SENSOR_PATIENCE_SECONDS if asked_by_sensor(context) else 0
            context.log.info(
                "Another run is at work on %s: waiting %s.",
                stage,
                f"up to {patience} s" if patience else "for it to end",
            )
            if not _wait(held, conn, stage, patience):
                context.log.info("It still is: what waits is left to the next run.")
                yield None
                return
        yield conn


def _wait(held: ExitStack, conn: Connection, stage: str, seconds: int) -> bool:
    """Whether the lock was got within `seconds` (0: however long it takes)."""
    conn.execute("SELECT set_config('lock_timeout', %s, false)", (f"{seconds}s",))
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
