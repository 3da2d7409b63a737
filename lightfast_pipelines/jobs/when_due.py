"""A schedule that looks before it asks: is anything due, and is a run of its job under way already?

Without the second look a job that takes longer than its schedule's interval piles up runs, and
they take the slots that today's deliveries need.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from lightfast_pipelines.resources.database import presence_of_job
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.locks import present

Due = Callable[[dg.ScheduleEvaluationContext, Connection], Mapping[str, str] | str]
"""Tags of the run that is due, or the reason why none is."""

# dagster.yaml limits how many runs of a lane are at work at once, so that some slots stay free for
# the runs that capture.
LANE_TAG = "lightfast/lane"
SCHEDULED_LANE = "scheduled"
BACKFILL_LANE = "backfill"

# A run that has not begun after this long was lost when its process ended.
_BEGINS_WITHIN = timedelta(minutes=5)


def scheduled_tags(max_runtime: timedelta) -> dict[str, str]:
    """Tags of a job that a schedule starts."""
    return {
        "dagster/max_runtime": str(int(max_runtime.total_seconds())),
        LANE_TAG: SCHEDULED_LANE,
    }


def always(_context: dg.ScheduleEvaluationContext, _conn: Connection) -> Mapping[str, str]:
    """Due at every tick."""
    return {}


def schedule_when_due(
    job: Any,  # the class of an asset job is private to Dagster
    *,
    name: str,
    cron: str,
    description: str,
    due: Due = always,
) -> dg.ScheduleDefinition:
    """A schedule, running by default, that asks for a run of `job` when `due` and none is under way."""

    @dg.schedule(
        cron_schedule=cron,
        job=job,
        name=name,
        description=description,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        execution_timezone="UTC",
    )
    def asks(
        context: dg.ScheduleEvaluationContext, database: dg.ResourceParam[Database]
    ) -> dg.RunRequest | dg.SkipReason:
        with database.connect("pipeline", application_name="lightfast schedule") as conn:
            conn.execute("SET statement_timeout = '20s'")
            if busy := under_way(conn, context.instance, job.name, datetime.now(UTC)):
                return dg.SkipReason(busy)
            found = due(context, conn)
        return dg.SkipReason(found) if isinstance(found, str) else dg.RunRequest(tags={**found})

    return asks


def under_way(
    conn: Connection, instance: dg.DagsterInstance, job_name: str, now: datetime
) -> str | None:
    """Why no further run of the job should be asked for; None where none runs or waits.

    Postgres tells whether a run lives: after a power cut Dagster's record can say STARTED for ever.
    """
    if present(conn, [presence_of_job(job_name)]):
        return f"a run of {job_name} is at work"
    if instance.get_run_records(
        dg.RunsFilter(job_name=job_name, statuses=[dg.DagsterRunStatus.QUEUED]), limit=1
    ):
        return f"a run of {job_name} is queued"
    if instance.get_run_records(
        dg.RunsFilter(
            job_name=job_name,
            statuses=[dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING],
            created_after=now - _BEGINS_WITHIN,
        ),
        limit=1,
    ):
        return f"a run of {job_name} is about to begin"
    return None
