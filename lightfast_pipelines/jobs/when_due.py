"""Schedules that ask for a run only if something is due and no run of the job is under way.

Otherwise the runs of a job that takes longer than its schedule's interval would pile up and take the
slots that today's deliveries need.
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

# dagster.yaml limits the concurrent runs of each lane, so that slots stay free for the runs that capture.
LANE_TAG = "lightfast/lane"
SCHEDULED_LANE = "scheduled"
BACKFILL_LANE = "backfill"

# A run that has not begun after this time was lost when its process ended.
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


def cron_of_service(cron: str, *, is_on: bool) -> str:
    """`cron` for the schedule of a hosted service that is on; hourly for one that is off.

    The settings are read once in a process, so a new key needs new processes anyway.
    """
    return cron if is_on else "50 * * * *"


def while_workspaces_are_due(count: Callable[[Connection], int], otherwise: str) -> Due:
    """Due while `count` finds workspaces, whose number becomes a tag; `otherwise` is the reason not to
    run."""

    def due(_context: dg.ScheduleEvaluationContext, conn: Connection) -> Mapping[str, str] | str:
        workspaces = count(conn)
        return {"lightfast/workspaces": str(workspaces)} if workspaces else otherwise

    return due


def materialized_with(
    instance: dg.DagsterInstance, asset: dg.AssetKey, name: str, value: str
) -> datetime | None:
    """When the asset was last materialized, if its metadata said `value` under `name` then; else None."""
    event = instance.get_latest_materialization_event(asset)
    if event is None or event.asset_materialization is None:
        return None
    said = event.asset_materialization.metadata.get(name)
    if said is None or said.value != value:
        return None
    return datetime.fromtimestamp(event.timestamp, UTC)


def is_recent(at: datetime, now: datetime, *, within: timedelta) -> bool:
    """Whether it happened so shortly before `now`.

    A time to come is not recent: the clock was set back since, and a schedule would wait until that time.
    """
    return timedelta(0) <= now - at < within


def schedule_when_due(
    job: Any,  # the class of an asset job is private to Dagster
    *,
    name: str,
    cron: str,
    description: str,
    due: Due = always,
) -> dg.ScheduleDefinition:
    """A schedule, on by default, that asks for a run of `job` if it is `due` and none is under way."""

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
            tags_or_reason = due(context, conn)
        if isinstance(tags_or_reason, str):
            return dg.SkipReason(tags_or_reason)
        return dg.RunRequest(tags={**tags_or_reason})

    return asks


def job_with_schedule(
    name: str,
    *assets: str,
    description: str,
    max_runtime: timedelta,
    cron: str,
    when: str,
    due: Due,
) -> tuple[Any, dg.ScheduleDefinition]:
    """The job `name` over these assets, and its schedule `{name}_when_due`; `when` describes it."""
    job = dg.define_asset_job(
        name,
        selection=dg.AssetSelection.assets(*assets).without_checks(),
        description=description,
        tags=scheduled_tags(max_runtime),
    )
    schedule = schedule_when_due(job, name=f"{name}_when_due", cron=cron, description=when, due=due)
    return job, schedule


def under_way(
    conn: Connection, instance: dg.DagsterInstance, job_name: str, now: datetime
) -> str | None:
    """The reason not to ask for another run of the job; None if none is running or waiting.

    Postgres's locks show whether a run is alive: after a power cut Dagster's record can stay STARTED.
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
