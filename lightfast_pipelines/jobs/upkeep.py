"""Nightly upkeep: makes the coming partitions of bodies, and deletes old runs and ticks."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from lightfast_pipelines.jobs.pruning import prune_runs, prune_ticks
from lightfast_pipelines.jobs.when_due import schedule_when_due, scheduled_tags
from lightfast_pipelines.store.body_partitions import create_month_partitions, move_out_of_default
from lightfast_pipelines.store.database import Database

KEEP_RUNS = timedelta(days=30)
KEEP_TICKS = timedelta(days=7)
# The most that one night does; the rest is left to the next night.
MAX_RUNS = 5_000
MAX_MONTHS_MOVED = 6


@dg.op(
    description="Makes the partitions of bodies for coming months, and for months that lack one."
)
def make_partitions(context: dg.OpExecutionContext, database: dg.ResourceParam[Database]) -> None:
    with database.connect("pipeline", application_name="lightfast upkeep") as conn:
        partitions_made = create_month_partitions(conn, datetime.now(UTC).date())
        conn.commit()
        moved = move_out_of_default(conn, MAX_MONTHS_MOVED)
    context.log.info(
        "%d partitions made, %d of them for past months", partitions_made + moved, moved
    )


@dg.op(description="Deletes old runs and ticks of Dagster.")
def prune(context: dg.OpExecutionContext) -> None:
    now = datetime.now(UTC)
    runs = prune_runs(context.instance, before=now - KEEP_RUNS, at_most=MAX_RUNS)
    ticks = prune_ticks(context.instance, before=now - KEEP_TICKS)
    context.log.info(
        "%d runs deleted, %d kept as the last of a day; ticks of %d sensors and schedules pruned",
        runs.deleted, runs.kept, ticks,
    )  # fmt: skip


@dg.job(
    description=(
        "Makes partitions for the bodies of the months ahead and deletes runs older than 30 days, "
        "except those that hold the last materialization of a partition, and ticks older than 7."
    ),
    tags=scheduled_tags(timedelta(hours=1)),
)
def upkeep() -> None:
    make_partitions()
    prune()


nightly_upkeep = schedule_when_due(
    upkeep,
    name="nightly_upkeep",
    cron="20 3 * * *",
    description="Every night at 03:20 UTC.",
)
