"""Keeps a worker at work: connects, connects again after an error, and says little about it.

`shift.py` does the work. Nothing is lost if the process is killed: what it had not committed still waits.
"""

from __future__ import annotations

from lightfast_pipelines.inbox.faults import describe_error
from lightfast_pipelines.store.database import Database
from lightfast_pipelines.worker.shift import Shift, Stop, Totals, Work

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 30.0
# What was done is said at most this often.
SAY_SECONDS = 600.0


def work_until_stopped(database: Database, work: Work, stop: Stop) -> None:
    """Works until it is asked to stop. After an error, such as a restart of the database, it pauses longer
    each time and begins again on a new connection."""
    totals = Totals()
    said_at = work.monotonic()
    pause, problem = FIRST_PAUSE, ""

    def goes_well() -> None:
        nonlocal totals, said_at, pause, problem
        pause, problem = FIRST_PAUSE, ""
        if totals.deliveries and work.monotonic() - said_at >= SAY_SECONDS:
            work.say(str(totals))
            totals.clear()
            said_at = work.monotonic()

    work.say(f"looks for deliveries ({database.describe()})")
    while not stop.is_asked():
        try:
            with database.connect("pipeline", application_name="lightfast worker") as conn:
                Shift(conn, work, totals).run(stop, goes_well)
        except Exception as error:
            # Any error: without the worker deliveries wait for a run, and nothing else is lost.
            described = describe_error(error)
            if described != problem:
                work.say(f"{described}; begins again, after pauses up to {LONGEST_PAUSE:.0f} s")
            problem = described
            stop.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
    work.say(f"ends: {totals}")
