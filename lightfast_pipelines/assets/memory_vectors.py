"""Vectors of clusters, people and entities, where something about them changed."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from lightfast_pipelines.assets._metadata import (
    code_version,
    counts_of_run,
    table_rows,
    table_spec,
)
from lightfast_pipelines.assets._turn import progress_log, turn
from lightfast_pipelines.resources.models import Embedder, HostedEmbedding
from lightfast_pipelines.store.database import Database


@dg.multi_asset(
    specs=[
        table_spec(
            "memory_vectors",
            deps=["embeddings", "cluster_summaries", "actor_profiles"],
            skippable=True,
            code_version=code_version("memory_vectors"),
        )
    ],
    retry_policy=dg.RetryPolicy(max_retries=1, delay=2),
)
def memory_vectors(
    context: dg.AssetExecutionContext,
    database: dg.ResourceParam[Database],
    embedder: dg.ResourceParam[Embedder],
    hosted_embedding: dg.ResourceParam[HostedEmbedding],
) -> Iterator[dg.MaterializeResult[None]]:
    """One row: the vector of a cluster, a person or an entity. Takes the changes that wait."""
    from lightfast_pipelines.embedding.layers import (
        DERIVED_LAYERS,
        LayersReport,
        layers_due,
        make_hosted_layers,
        make_layers,
    )
    from lightfast_pipelines.store.locks import let_others_in
    from lightfast_pipelines.store.model_pauses import pause_in_force

    with turn(context, database, "layers") as conn:
        if conn is None:
            return
        progress = progress_log(context, "changes")

        def between() -> None:
            let_others_in(conn, "layers")

        report = make_layers(conn, embedder, progress=progress, between=between)
        paid, hosted = LayersReport(), hosted_embedding.embedder
        # A run may be due for local changes alone, while the hosted model is not to be asked.
        if hosted is not None and not pause_in_force(conn, datetime.now(UTC), hosted.provider):
            paid = make_hosted_layers(conn, hosted, progress=progress, between=between)
        rows, waiting = table_rows(conn, "memory_vectors"), layers_due(conn)
    if paid.unavailable is not None:
        context.log.warning("%s: vectors of the hosted model wait", paid.unavailable)
    by_layer = {
        f"{layer}_{what}_of_run": counts[layer]
        for layer in DERIVED_LAYERS
        for what, counts in (("written", report.written), ("deleted", report.deleted))
    }
    yield dg.MaterializeResult(
        asset_key="memory_vectors",
        metadata={
            "dagster/row_count": rows,
            "model": embedder.name,
            "waiting": waiting,
            **counts_of_run(report, "changes"),
            **by_layer,
            "hosted_written_of_run": sum(paid.written.values()),
        },
    )
