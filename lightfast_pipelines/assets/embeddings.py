"""Vectors of observations: three views each, by the model that is set."""

from collections.abc import Iterator

import dagster as dg

from lightfast_pipelines.assets._days import show_days
from lightfast_pipelines.assets._metadata import table_rows, table_spec
from lightfast_pipelines.assets._turn import (
    asked_by_sensor,
    days_of,
    days_taken,
    progress_log,
    turn,
)
from lightfast_pipelines.embedding.stage import embed_pending
from lightfast_pipelines.partitions import DAILY
from lightfast_pipelines.resources.models import Embedder, VectorIndexFactory
from lightfast_pipelines.settings import settings
from lightfast_pipelines.store.database import Database
from lightfast_pipelines.store.day_rows import rows_of_days
from lightfast_pipelines.store.locks import let_others_in
from lightfast_pipelines.store.time_limit import TimeLimit

_EVERYTHING = 2**31 - 1


@dg.multi_asset(
    name="embed",
    specs=[
        table_spec(
            "embeddings",
            table="observation_vectors",
            description="One row: a vector of one view (title, content, summary) of an observation.",
            # States too, so that their blocking check stops what follows.
            deps=["observations", "temporal_states"],
            skippable=True,
        )
    ],
    partitions_def=DAILY,
    backfill_policy=dg.BackfillPolicy.single_run(),
    # A service that is down is asked for again by the sensor, later each time.
    retry_policy=dg.RetryPolicy(max_retries=1, delay=2),
)
def embeddings(
    context: dg.AssetExecutionContext,
    database: dg.ResourceParam[Database],
    embedder: dg.ResourceParam[Embedder],
    vector_index: dg.ResourceParam[VectorIndexFactory],
) -> Iterator[dg.MaterializeResult[None]]:
    """Embeds the days' observations that have no vector of the current model."""
    with turn(context, database, "embeddings") as conn:
        if conn is None:
            return
        report = embed_pending(
            conn,
            embedder,
            vector_index.on(conn),
            days=days_taken(context, conn),
            max_rows=settings().run_rows if asked_by_sensor(context) else _EVERYTHING,
            progress=progress_log(context, "observations embedded"),
            # Whoever waits for this stage waits for a batch of it, not for all of this run's.
            between=lambda: let_others_in(conn, "embeddings"),
            time_limit=TimeLimit(batch=settings().batch_seconds),
        )
        size = table_rows(conn, ["observation_vectors"])["observation_vectors"]
        rows = rows_of_days(conn, days_of(context))
    context.log.info(
        "%d observations, %d vectors of %s in %.1f s",
        *(report.observations, report.vectors, embedder.name, report.seconds),
    )
    show_days(context, ["embeddings"], rows)
    yield dg.MaterializeResult(
        asset_key="embeddings", metadata={"dagster/row_count": size, "model": embedder.name}
    )
