"""Provisional clusters, which observations get at once; consolidation decides the final ones."""

from collections.abc import Iterator

import dagster as dg

from lightfast_pipelines.assets._days import show_days
from lightfast_pipelines.assets._metadata import (
    code_version,
    table_rows,
    table_spec,
)
from lightfast_pipelines.assets._turn import days_of, stage_options, turn
from lightfast_pipelines.partitions import DAILY
from lightfast_pipelines.store.database import Database


@dg.multi_asset(
    specs=[
        table_spec(
            "clusters", deps=["embeddings"], skippable=True, code_version=code_version("clusters")
        )
    ],
    partitions_def=DAILY,
    backfill_policy=dg.BackfillPolicy.single_run(),
    retry_policy=dg.RetryPolicy(max_retries=1, delay=2),
)
def clusters(
    context: dg.AssetExecutionContext, database: dg.ResourceParam[Database]
) -> Iterator[dg.MaterializeResult[None]]:
    """One row: observations that are one piece of work. Takes the days' observations without one."""
    from lightfast_pipelines.clustering.provisional import assign_provisional
    from lightfast_pipelines.store.day_rows import rows_of_days

    with turn(context, database, "clusters") as conn:
        if conn is None:
            return
        options = stage_options(context, conn, "clusters", "observations assigned")
        report = assign_provisional(conn, **options)
        row_count = table_rows(conn, "clusters")
        rows = rows_of_days(conn, days_of(context))
    context.log.info(
        "%d observations in %.1f s: %d new clusters, %d joined an existing one",
        *(report.observations, report.seconds, report.clusters, report.joined),
    )
    show_days(context, ["clusters"], rows)
    yield dg.MaterializeResult(asset_key="clusters", metadata={"dagster/row_count": row_count})
