"""The six tables that a batch of deliveries writes in one transaction.

They are one multi_asset that cannot be subsetted, as their rows are committed together.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import dagster as dg

from lightfast_pipelines.assets._days import show_days
from lightfast_pipelines.assets._metadata import (
    NEW_WORK,
    code_version,
    table_rows,
    table_spec,
)
from lightfast_pipelines.assets._turn import (
    asked_by_sensor,
    days_of,
    days_taken,
    present_at_first,
    progress_log,
    turn,
)
from lightfast_pipelines.partitions import DAILY
from lightfast_pipelines.resources.database import (
    PENDING_TAG,
    captures_until,
    waiting_to_capture,
)
from lightfast_pipelines.settings import settings
from lightfast_pipelines.store.database import Connection, Database

if TYPE_CHECKING:
    from lightfast_pipelines.capture.queue.batches import CaptureReport

TABLES = (
    "observations",
    "entities",
    "observation_entities",
    "relationships",
    "actor_identities",
    "temporal_states",
)
# How long a sensor's run may capture. It may take long, since it lets a waiting run go first every 2,000
# deliveries (some seconds); so a year of history takes few runs.
SENSOR_SECONDS = {"recent": 300.0, "backlog": 120.0}
# If deliveries never pause, the sensor asks for the next run of today's after this time, and the first goes
# on until that one is there: it takes three seconds to begin, or a minute on a busy machine, in which
# deliveries would wait.
ALONE_SECONDS = 30.0
# A run of today's deliveries ends when none has arrived for this long.
QUIET_SECONDS = 5


@dg.multi_asset(
    description=(
        "Turns deliveries into the memory's tables, a batch a transaction. A day that is shown as "
        "missing has no deliveries: there is nothing to materialize."
    ),
    # Skippable: a sensor's run that does not get the lock succeeds and materializes nothing.
    specs=[
        table_spec(
            name,
            deps=["raw_payloads"],
            skippable=True,
            code_version=code_version(name),
            freshness_policy=NEW_WORK if name == "observations" else None,
        )
        for name in TABLES
    ],
    partitions_def=DAILY,
    backfill_policy=dg.BackfillPolicy.single_run(),
    retry_policy=dg.RetryPolicy(max_retries=1, delay=5),
)
def capture(
    context: dg.AssetExecutionContext, database: dg.ResourceParam[Database]
) -> Iterator[dg.MaterializeResult[None]]:
    """Reprocesses the run's days; a run that the sensor asked for takes only waiting deliveries."""
    from lightfast_pipelines.store.day_rows import rows_of_days

    with turn(context, database, "capture") as conn:
        if conn is None:
            return
        report = _captured(context, conn)
        row_counts = {table: table_rows(conn, table) for table in TABLES}
        rows = rows_of_days(conn, days_of(context))
    context.log.info(
        "%d deliveries in %.1f s: %s; rows written: %s",
        *(report.deliveries, report.seconds, report.outcomes, report.written),
    )
    show_days(context, TABLES, rows)
    # Also if no delivery waited, as Dagster would otherwise skip the stages that follow.
    for table, row_count in row_counts.items():
        yield dg.MaterializeResult(asset_key=table, metadata={"dagster/row_count": row_count})


def _captured(context: dg.AssetExecutionContext, conn: Connection) -> "CaptureReport":
    from lightfast_pipelines.capture.queue.session import (
        Bounds,
        reprocess,
        take_arriving,
        take_waiting,
    )
    from lightfast_pipelines.store.locks import let_others_in, present
    from lightfast_pipelines.store.time_limit import TimeLimit

    days, batch_rows = days_taken(context, conn), settings().batch_rows
    time_limit = TimeLimit(batch=settings().batch_seconds)
    progress: Callable[[int], None] = progress_log(context, "deliveries")
    if not asked_by_sensor(context):
        return reprocess(
            conn, days, batch_rows=batch_rows, time_limit=time_limit, progress=progress
        )
    kind = context.run.tags[PENDING_TAG]
    seconds = SENSOR_SECONDS.get(kind, SENSOR_SECONDS["recent"])
    bounds = Bounds(settings().run_rows, seconds, batch_rows, time_limit)
    shown = captures_until(kind, days_of(context)[-1])
    is_relieved = False
    with present_at_first(conn, shown, ALONE_SECONDS) as end_in_time:

        def between() -> None:
            nonlocal is_relieved
            end_in_time()
            is_relieved |= bool(present(conn, [waiting_to_capture("recent")]))
            let_others_in(conn, "capture")

        if kind == "recent":
            return take_arriving(
                conn,
                days,
                bounds,
                progress,
                between,
                quiet_seconds=QUIET_SECONDS,
                is_relieved=lambda: is_relieved,
            )
        return take_waiting(conn, days, bounds, progress, between)
