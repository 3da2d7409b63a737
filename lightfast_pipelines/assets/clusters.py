"""Clusters: provisional ones day by day, and the consolidation that decides them for a workspace."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from lightfast_pipelines.assets._days import show_days
from lightfast_pipelines.assets._metadata import bars, masked, preview, table_rows, table_spec
from lightfast_pipelines.assets._turn import (
    asked_by_sensor,
    days_of,
    days_taken,
    progress_log,
    turn,
)
from lightfast_pipelines.clustering.consolidation import consolidate
from lightfast_pipelines.clustering.provisional import assign_provisional
from lightfast_pipelines.inbox.pending import cluster_sizes
from lightfast_pipelines.inbox.rule_versions import code_version
from lightfast_pipelines.partitions import DAILY
from lightfast_pipelines.resources.models import Embedder
from lightfast_pipelines.settings import settings
from lightfast_pipelines.store.database import Database
from lightfast_pipelines.store.day_rows import rows_of_days
from lightfast_pipelines.store.locks import let_others_in
from lightfast_pipelines.store.time_limit import TimeLimit

_EVERYTHING = 2**31 - 1


@dg.multi_asset(
    name="assign_clusters",
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
    """Gives the days' observations without a cluster a provisional one; consolidation decides."""
    with turn(context, database, "clusters") as conn:
        if conn is None:
            return
        report = assign_provisional(
            conn,
            days=days_taken(context, conn),
            max_rows=settings().run_rows if asked_by_sensor(context) else _EVERYTHING,
            progress=progress_log(context, "observations assigned"),
            # Whoever waits for this stage waits for a batch of it, not for all of this run's.
            between=lambda: let_others_in(conn, "clusters"),
            time_limit=TimeLimit(batch=settings().batch_seconds),
        )
        size = table_rows(conn, ["clusters"])["clusters"]
        rows = rows_of_days(conn, days_of(context))
    context.log.info(
        "%d observations in %.1f s: %d new clusters, %d joined one there was",
        *(report.observations, report.seconds, report.clusters, report.joined),
    )
    show_days(context, ["clusters"], rows)
    yield dg.MaterializeResult(asset_key="clusters", metadata={"dagster/row_count": size})


@dg.multi_asset(
    name="consolidate",
    specs=[
        table_spec(
            "cluster_consolidation",
            table="clusters",
            description=(
                "One row: a cluster of a workspace, decided anew from all of its observations, "
                "the same for any order of arrival."
            ),
            deps=["clusters", "actors"],
            skippable=True,
            code_version=code_version("cluster_consolidation"),
        )
    ],
    retry_policy=dg.RetryPolicy(max_retries=1, delay=2),
)
def cluster_consolidation(
    context: dg.AssetExecutionContext,
    database: dg.ResourceParam[Database],
    embedder: dg.ResourceParam[Embedder],
) -> Iterator[dg.MaterializeResult[None]]:
    """Decides the clusters of every workspace that changed since it was last decided."""
    with turn(context, database, "consolidation") as conn:
        if conn is None:
            return
        report = consolidate(
            conn, embedder, now=datetime.now(UTC), progress=progress_log(context, "observations")
        )
        size = table_rows(conn, ["clusters"])["clusters"]
        sizes = cluster_sizes(conn)
    yield dg.MaterializeResult(
        asset_key="cluster_consolidation",
        metadata={
            "dagster/row_count": size,
            "workspaces_of_run": report.workspaces,
            "observations_of_run": report.observations,
            "moved": report.moved,
            "created": report.created,
            "removed": report.removed,
            "seconds": round(report.seconds, 2),
            **preview([masked(row) for row in report.preview]),
            **bars(
                "sizes", "Clusters by number of observations", list(sizes), list(sizes.values())
            ),
        },
    )
