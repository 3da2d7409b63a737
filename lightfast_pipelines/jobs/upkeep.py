"""Nightly upkeep: makes the coming partitions of bodies, and deletes old runs and ticks."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from lightfast_pipelines.jobs.pruning import prune_runs, prune_ticks
from lightfast_pipelines.jobs.when_due import schedule_when_due, scheduled_tags
from lightfast_pipelines.store.body_partitions import create_month_partitions, move_out_of_default
from lightfast_pipelines.store.database import Database
from lightfast_pipelines.store.hosted_vectors import examine_again, remove_retired
from lightfast_pipelines.store.logins import LoginError
from lightfast_pipelines.store.vector_indexes import keep_indexes

KEEP_RUNS = timedelta(days=30)
KEEP_TICKS = timedelta(days=7)
# The most that one night does; the rest is left to the next night.
MAX_RUNS = 5_000
MAX_MONTHS_MOVED = 6
MAX_VECTORS_REMOVED = 1_000_000


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


@dg.op(
    description=(
        "Has observations without a vector of the hosted model looked for once more, deletes vectors of "
        "former hosted models, and makes or drops the indexes of large workspaces."
    )
)
def keep_vectors(context: dg.OpExecutionContext, database: dg.ResourceParam[Database]) -> None:
    with database.connect("pipeline", application_name="lightfast upkeep") as conn:
        examine_again(conn)
        conn.commit()
        removed = remove_retired(conn, at_most=MAX_VECTORS_REMOVED)
    context.log.info("%d vectors of former hosted models deleted", removed)
    try:
        owner = database.connect(
            "migrator", autocommit=True, application_name="lightfast upkeep of indexes"
        )
    except LoginError:
        context.log.info(
            "Indexes of vectors are left alone, as this process has no login of the owner: run "
            "`lightfast db index-vectors` where LIGHTFAST_DATABASE_URL is set to it."
        )
        return
    with owner:
        report = keep_indexes(owner)
    context.log.info(
        "%d indexes of vectors: made %s; dropped %s",
        *(report.indexes, ", ".join(report.made) or "none", ", ".join(report.dropped) or "none"),
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
        "Makes partitions for the bodies of the months ahead, keeps the indexes of vectors, and deletes "
        "runs older than 30 days, except those that hold the last materialization of a partition, and "
        "ticks older than 7."
    ),
    # The index of a million vectors takes hours to build.
    tags=scheduled_tags(timedelta(hours=12)),
)
def upkeep() -> None:
    make_partitions()
    keep_vectors()
    prune()


nightly_upkeep = schedule_when_due(
    upkeep,
    name="nightly_upkeep",
    cron="20 3 * * *",
    description="Every night at 03:20 UTC.",
)
