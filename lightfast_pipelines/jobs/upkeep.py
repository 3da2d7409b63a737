"""Nightly upkeep: makes the coming partitions of bodies, and deletes or compresses what is old."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from lightfast_pipelines.jobs.pruning import prune_runs, prune_ticks
from lightfast_pipelines.jobs.when_due import schedule_when_due, scheduled_tags
from lightfast_pipelines.settings import settings
from lightfast_pipelines.store.body_partitions import create_month_partitions, move_out_of_default
from lightfast_pipelines.store.database import Database
from lightfast_pipelines.store.hosted_vectors import examine_again, remove_retired
from lightfast_pipelines.store.logins import LoginError
from lightfast_pipelines.store.vector_indexes import keep_indexes

KEEP_TICKS = timedelta(days=7)
# The most that one night does; the rest is left to the next night.
MAX_RUNS = 5_000
MAX_MONTHS_MOVED = 6
MAX_VECTORS_REMOVED = 1_000_000
MAX_ROWS_OF_DAGSTER = 500_000
MAX_MONTHS_REWRITTEN = 3


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
        "former models, and makes or drops the indexes of large workspaces."
    )
)
def keep_vectors(context: dg.OpExecutionContext, database: dg.ResourceParam[Database]) -> None:
    from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
    from lightfast_pipelines.store.former_vectors import delete_former_vectors

    with database.connect("pipeline", application_name="lightfast upkeep") as conn:
        examine_again(conn)
        conn.commit()
        hosted = remove_retired(conn, at_most=MAX_VECTORS_REMOVED)
        local = delete_former_vectors(
            conn, WordLlamaEmbedder().name, at_most=MAX_VECTORS_REMOVED // 3
        )
    context.log.info("vectors of former models deleted: %d hosted, %d local", hosted, local)
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


@dg.op(description="Compresses or deletes the bodies of old months, where a setting says so.")
def retain(context: dg.OpExecutionContext, database: dg.ResourceParam[Database]) -> None:
    from lightfast_pipelines.store.old_bodies import retain_bodies

    keep_days, compress_days = settings().keep_bodies_days, settings().compress_bodies_days
    if keep_days is None and compress_days is None:
        context.log.info("Bodies are kept as they are: no setting says otherwise.")
        return
    try:
        owner = database.connect("migrator", autocommit=True, application_name="lightfast upkeep")
    except LoginError:
        context.log.warning("Bodies are kept: this process has no login of the owner.")
        return
    with owner:
        done = retain_bodies(
            owner,
            datetime.now(UTC).date(),
            keep_days=keep_days,
            compress_days=compress_days,
            at_most=MAX_MONTHS_REWRITTEN,
        )
    context.log.info(
        "bodies deleted of %s, compressed of %s",
        *(", ".join(months) or "no month" for months in (done.deleted, done.compressed)),
    )


@dg.op(description="Deletes old runs, events and ticks of Dagster.")
def prune(context: dg.OpExecutionContext, database: dg.ResourceParam[Database]) -> None:
    from lightfast_pipelines.store.dagster_storage import dagster_storage, delete_old

    now = datetime.now(UTC)
    before = now - timedelta(days=settings().keep_runs_days)
    runs = prune_runs(context.instance, before=before, at_most=MAX_RUNS)
    ticks = prune_ticks(context.instance, before=now - KEEP_TICKS)
    context.log.info(
        "%d runs deleted, %d kept as the last of a day; ticks of %d sensors and schedules pruned",
        runs.deleted, runs.kept, ticks,
    )  # fmt: skip
    with dagster_storage(database) as conn:
        if conn is not None:
            rest = delete_old(conn, before, at_most=MAX_ROWS_OF_DAGSTER)
            context.log.info(
                "%d events of no run, %d log lines of kept runs and %d results of checks deleted",
                rest.events, rest.log_lines, rest.check_results,
            )  # fmt: skip


@dg.job(
    description=(
        "Makes partitions for the bodies of the months ahead, keeps the indexes of vectors, compresses or "
        "deletes old bodies as the settings say, and deletes old runs of Dagster, except those that hold "
        "the last materialization of a partition, and ticks older than 7 days."
    ),
    # The index of a million vectors takes hours to build.
    tags=scheduled_tags(timedelta(hours=12)),
)
def upkeep() -> None:
    make_partitions()
    keep_vectors()
    retain()
    prune()


nightly_upkeep = schedule_when_due(
    upkeep,
    name="nightly_upkeep",
    cron="20 3 * * *",
    description="Every night at 03:20 UTC.",
)
