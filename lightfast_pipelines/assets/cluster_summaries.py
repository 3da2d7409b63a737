"""What clusters are about, in a few sentences that cite the observations they are taken from."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from lightfast_pipelines.assets._metadata import (
    bars,
    code_version,
    counts_of_run,
    masked,
    preview,
    table_rows,
    table_spec,
)
from lightfast_pipelines.assets._turn import progress_log, turn
from lightfast_pipelines.resources.language import Language
from lightfast_pipelines.store.database import Database


@dg.multi_asset(
    specs=[
        table_spec(
            "cluster_summaries",
            table="clusters",
            description=(
                "One row: a cluster; one of five observations or more has a summary, every "
                "sentence of which cites observations."
            ),
            deps=["cluster_consolidation"],
            skippable=True,
            code_version=code_version("cluster_summaries"),
        )
    ],
    retry_policy=dg.RetryPolicy(max_retries=1, delay=2),
)
def cluster_summaries(
    context: dg.AssetExecutionContext,
    database: dg.ResourceParam[Database],
    language: dg.ResourceParam[Language],
) -> Iterator[dg.MaterializeResult[None]]:
    """One row: a cluster's summary. Written where there is none, or a fifth of the members changed."""
    from lightfast_pipelines.clustering.summaries import summarize_clusters
    from lightfast_pipelines.clustering.summary_questions import ask_for_summaries
    from lightfast_pipelines.inbox.pending import summary_sizes

    with turn(context, database, "summaries") as conn:
        if conn is None:
            return
        progress = progress_log(context, "summaries")
        report = summarize_clusters(conn, now=datetime.now(UTC), progress=progress)
        by_model = ask_for_summaries(
            conn, language, clock=lambda: datetime.now(UTC), progress=progress
        )
        rows, sentences = table_rows(conn, "clusters"), summary_sizes(conn)
    yield dg.MaterializeResult(
        asset_key="cluster_summaries",
        metadata={
            "dagster/row_count": rows,
            "summaries": sum(sentences.values()),
            **counts_of_run(report, "workspaces", "clusters", "written", "removed", "observations"),
            "asked_of_model": by_model.asked,
            "written_by_model": by_model.written,
            "fallbacks": dict(by_model.fallbacks),
            "model_stopped": by_model.stopped or "",
            **preview([masked(row) for row in report.preview]),
            **bars("sentences", "Summaries by number of sentences", sentences),
        },
    )
