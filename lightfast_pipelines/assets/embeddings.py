"""Vectors of observations, three views each, by the model that the settings choose."""

from collections.abc import Iterator

import dagster as dg

from lightfast_pipelines.assets._days import show_days
from lightfast_pipelines.assets._metadata import table_rows, table_spec
from lightfast_pipelines.assets._turn import days_of, stage_options, turn
from lightfast_pipelines.partitions import DAILY
from lightfast_pipelines.resources.models import Embedder, VectorIndexFactory
from lightfast_pipelines.store.database import Database


@dg.multi_asset(
    specs=[
        table_spec(
            "embeddings",
            table="observation_vectors",
            description="One row: a vector of one view (title, content, summary) of an observation.",
            # Depends on states too, so that their blocking check stops what follows.
            deps=["observations", "temporal_states"],
            skippable=True,
        )
    ],
    partitions_def=DAILY,
    backfill_policy=dg.BackfillPolicy.single_run(),
    # After an outage of the model the sensor asks for further runs, each after a longer pause.
    retry_policy=dg.RetryPolicy(max_retries=1, delay=2),
)
def embeddings(
    context: dg.AssetExecutionContext,
    database: dg.ResourceParam[Database],
    embedder: dg.ResourceParam[Embedder],
    vector_index: dg.ResourceParam[VectorIndexFactory],
) -> Iterator[dg.MaterializeResult[None]]:
    """One row: a vector. Takes the days' observations that have none of the current model."""
    from lightfast_pipelines.embedding.stage import embed_pending
    from lightfast_pipelines.store.day_rows import rows_of_days

    with turn(context, database, "embeddings") as conn:
        if conn is None:
            return
        options = stage_options(context, conn, "embeddings", "observations embedded")
        report = embed_pending(conn, embedder, vector_index.on(conn), **options)
        row_count = table_rows(conn, "observation_vectors")
        rows = rows_of_days(conn, days_of(context))
    context.log.info(
        "%d observations, %d vectors of %s in %.1f s",
        *(report.observations, report.vectors, embedder.name, report.seconds),
    )
    show_days(context, ["embeddings"], rows)
    yield dg.MaterializeResult(
        asset_key="embeddings", metadata={"dagster/row_count": row_count, "model": embedder.name}
    )
