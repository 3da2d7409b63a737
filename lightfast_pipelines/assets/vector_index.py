"""The hosted index of vectors, where a key turns one on, and the check that it agrees with the tables."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from lightfast_pipelines.assets._metadata import counts_of_run, listing, table_spec
from lightfast_pipelines.assets._turn import progress_log, turn
from lightfast_pipelines.resources.models import Embedder, HostedEmbedding, HostedIndexing
from lightfast_pipelines.store.database import Database

if TYPE_CHECKING:
    from lightfast_pipelines.embedding.projection import ProjectionReport
    from lightfast_pipelines.embedding.projection_comparison import Comparison

ASSET = dg.AssetKey("vector_index")


@dg.multi_asset(
    specs=[
        table_spec(
            "vector_index",
            table="hosted_index",
            description=(
                "One row: the hosted index, with what waits to be sent to it; without a key there is "
                "none, and pgvector answers every search."
            ),
            deps=["embeddings", "hosted_embeddings", "memory_vectors"],
            kinds=frozenset({"pinecone", "python"}),
            skippable=True,
        )
    ]
)
def vector_index(
    context: dg.AssetExecutionContext,
    database: dg.ResourceParam[Database],
    embedder: dg.ResourceParam[Embedder],
    hosted_embedding: dg.ResourceParam[HostedEmbedding],
    hosted_index: dg.ResourceParam[HostedIndexing],
) -> Iterator[dg.MaterializeResult[None]]:
    """One row: the hosted index. Sends and deletes there what changed here."""
    from lightfast_pipelines.embedding.pinecone_index import INDEX_IS_OFF
    from lightfast_pipelines.embedding.projection import project
    from lightfast_pipelines.store.locks import let_others_in

    if hosted_index.index is None:
        context.log.info("No hosted index is on: %s.", INDEX_IS_OFF)
        return
    model = hosted_embedding.embedder or embedder
    with turn(context, database, "index") as conn:
        if conn is None:
            return
        report = project(
            conn,
            hosted_index.index,
            model,
            now=datetime.now(UTC),
            progress=progress_log(context, "things"),
            between=lambda: let_others_in(conn, "index"),
        )
    if report.error is not None:
        raise dg.Failure(f"{report.error}; {report.waiting:,} changes wait, pgvector answers")
    yield dg.MaterializeResult(
        asset_key=ASSET,
        metadata={"index": hosted_index.index.name, "model": model.name, **_counts(report)},
    )


def _counts(report: "ProjectionReport") -> dict[str, Any]:
    from lightfast_pipelines.embedding.index import LAYERS

    return {
        "waiting": report.waiting,
        **counts_of_run(report, "refused"),
        **{f"{layer}_sent_of_run": report.sent[layer] for layer in LAYERS},
        **{f"{layer}_deleted_of_run": report.deleted[layer] for layer in LAYERS},
    }


@dg.asset_check(
    name="vector_index_agrees",
    asset=ASSET,
    description=(
        "The hosted index has every vector of the workspaces whose turn it is, and none without a row. "
        "What is missing is then sent, what has no row deleted."
    ),
)
def vector_index_agrees(
    database: dg.ResourceParam[Database],
    embedder: dg.ResourceParam[Embedder],
    hosted_embedding: dg.ResourceParam[HostedEmbedding],
    hosted_index: dg.ResourceParam[HostedIndexing],
) -> dg.AssetCheckResult:
    """Compares each workspace once a day, a bounded number of vectors in a run."""
    from lightfast_pipelines.embedding.index import IndexAway, IndexUnusable
    from lightfast_pipelines.embedding.pinecone_index import INDEX_IS_OFF
    from lightfast_pipelines.embedding.projection_comparison import compare, workspaces_to_compare
    from lightfast_pipelines.store.locks import job_lock

    if hosted_index.index is None:
        return dg.AssetCheckResult(passed=True, metadata={"note": f"off: {INDEX_IS_OFF}"})
    now, model = datetime.now(UTC), (hosted_embedding.embedder or embedder).name
    with (
        database.connect("pipeline", application_name="lightfast index check") as conn,
        job_lock(conn, "index", wait=True),
    ):
        tenants = workspaces_to_compare(conn, now)
        try:
            compared = compare(conn, hosted_index.index, model, tenants, now=now)
        except (IndexAway, IndexUnusable) as error:
            return dg.AssetCheckResult(
                passed=False, severity=dg.AssetCheckSeverity.WARN, metadata={"error": str(error)}
            )
    return dg.AssetCheckResult(
        passed=not any(each.missing or each.orphaned for each in compared),
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "vectors": sum(each.vectors for each in compared),
            "missing": sum(each.missing for each in compared),
            "orphaned": sum(each.orphaned for each in compared),
            "workspaces": len(compared),
            "left_to_later": len(tenants) - len(compared),
            **listing("compared", [_row(each) for each in compared]),
        },
    )


def _row(comparison: "Comparison") -> dict[str, object]:
    return {
        "workspace": comparison.workspace,
        "vectors": comparison.vectors,
        "missing": comparison.missing,
        "orphaned": comparison.orphaned,
        "examples": ", ".join(comparison.examples),
    }
