"""Vectors of significant observations by the hosted model, where a key turns one on."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import dagster as dg

from lightfast_pipelines.assets._days import give_own_timestamps
from lightfast_pipelines.assets._metadata import counts_of_run, table_spec
from lightfast_pipelines.assets._turn import days_of, stage_options, turn
from lightfast_pipelines.partitions import DAILY
from lightfast_pipelines.resources.models import HostedEmbedding, VectorIndexFactory
from lightfast_pipelines.store.database import Database

if TYPE_CHECKING:
    from lightfast_pipelines.embedding.hosted_stage import HostedReport

# A run by hand may come before the schedule has seen a new model.
_EXAMINE_SECONDS = 60.0


@dg.multi_asset(
    specs=[
        table_spec(
            "hosted_embeddings",
            table="observation_vectors",
            description=(
                "One row: a vector of one view of a significant observation, by the hosted model; its "
                "local vectors are in `embeddings`."
            ),
            deps=["embeddings"],
            skippable=True,
        )
    ],
    partitions_def=DAILY,
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def hosted_embeddings(
    context: dg.AssetExecutionContext,
    database: dg.ResourceParam[Database],
    hosted_embedding: dg.ResourceParam[HostedEmbedding],
    vector_index: dg.ResourceParam[VectorIndexFactory],
) -> Iterator[dg.MaterializeResult[None]]:
    """One row: a vector that costs money. Takes the days' significant observations that have none."""
    from lightfast_pipelines.embedding.hosted_stage import embed_hosted
    from lightfast_pipelines.embedding.openai_embedder import EMBEDDER_IS_OFF
    from lightfast_pipelines.store.hosted_vectors import catch_up, hosted_progress

    embedder = hosted_embedding.embedder
    if embedder is None:
        context.log.info("No hosted model is on: %s.", EMBEDDER_IS_OFF)
        return
    with turn(context, database, "hosted_embeddings") as conn:
        if conn is None:
            return
        catch_up(conn, embedder.name, seconds=_EXAMINE_SECONDS)
        options = stage_options(context, conn, "hosted_embeddings", "observations embedded")
        report = embed_hosted(
            conn,
            embedder,
            vector_index.on(conn),
            days=options["days"],
            max_rows=options["max_rows"],
            progress=options["progress"],
            between=options["between"],
        )
        progress = hosted_progress(conn)
    _end_if_unavailable(context, report)
    for day in days_of(context):
        if count := report.days.get(day):
            context.add_asset_metadata(
                {"observations_of_run": count}, partition_key=day.isoformat()
            )
    give_own_timestamps(context)
    yield dg.MaterializeResult(
        asset_key="hosted_embeddings",
        metadata={
            **counts_of_run(report, "observations", "vectors", "requests", "tokens"),
            "model": embedder.name,
            "waiting": progress.waiting if progress else 0,
        },
    )


def _end_if_unavailable(context: dg.AssetExecutionContext, report: "HostedReport") -> None:
    """Fails the run if the service gave nothing; what was embedded before an outage is a result."""
    if report.unavailable is None:
        return
    if not report.observations:
        raise dg.Failure(f"{report.unavailable}; the observations wait, local vectors serve")
    context.log.warning("%s: the rest waits for a later run", report.unavailable)
