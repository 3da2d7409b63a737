"""Who is who and which observations belong together, decided in one step for all that changed.

Two assets of one step: clusters are decided from actors, so one run decides actors once.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

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
from lightfast_pipelines.resources.models import Embedder
from lightfast_pipelines.store.database import Database

if TYPE_CHECKING:
    from lightfast_pipelines.clustering.consolidation import ConsolidationReport
    from lightfast_pipelines.people.organisations import PeopleReport


@dg.multi_asset(
    specs=[
        table_spec(
            "actors",
            description=(
                "One row: a person or bot of an organisation, with the identities that belong together. "
                "`lightfast people review` lists the pairs that are doubtful, `accept`, `reject` and "
                "`undo` decide them for good, and `lightfast people show NAME` says why each identity "
                "belongs."
            ),
            deps=["actor_identities"],
            skippable=True,
            code_version=code_version("actors"),
        ),
        table_spec(
            "cluster_consolidation",
            table="clusters",
            description=(
                "One row: a cluster of a workspace, decided from all of its observations, "
                "the same for any order of arrival."
            ),
            deps=["clusters", "actors"],
            skippable=True,
            code_version=code_version("cluster_consolidation"),
        ),
    ],
    retry_policy=dg.RetryPolicy(max_retries=1, delay=2),
)
def actors_and_clusters(
    context: dg.AssetExecutionContext,
    database: dg.ResourceParam[Database],
    embedder: dg.ResourceParam[Embedder],
) -> Iterator[dg.MaterializeResult[None]]:
    """Decides the actors of every organisation and the clusters of every workspace that changed."""
    from lightfast_pipelines.clustering.consolidation import consolidate
    from lightfast_pipelines.inbox.pending import cluster_sizes
    from lightfast_pipelines.people.decisions import count_decisions
    from lightfast_pipelines.people.review_list import count_doubtful

    with turn(context, database, "consolidation") as conn:
        if conn is None:
            return
        progress = progress_log(context, "observations")
        report = consolidate(conn, embedder, now=datetime.now(UTC), progress=progress)
        actors, clusters = table_rows(conn, "actors"), table_rows(conn, "clusters")
        sizes = cluster_sizes(conn)
        doubtful, decisions = count_doubtful(conn), count_decisions(conn)
    yield dg.MaterializeResult(
        asset_key="actors",
        metadata={
            "dagster/row_count": actors,
            "doubtful_pairs": doubtful,
            "decisions": decisions,
            **_of_people(report.people),
        },
    )
    yield dg.MaterializeResult(
        asset_key="cluster_consolidation",
        metadata={
            "dagster/row_count": clusters,
            **_of_clusters(report),
            **bars("sizes", "Clusters by number of observations", sizes),
        },
    )


def _of_people(people: "PeopleReport") -> dict[str, Any]:
    return {
        "organisations_of_run": len(people.decided),
        "identities_of_run": sum(organisation.identities for organisation in people.decided),
        "identities_joined": sum(organisation.joined for organisation in people.decided),
        "bots": sum(organisation.bots for organisation in people.decided),
        "identities_changed": sum(len(organisation.changed) for organisation in people.decided),
    }


def _of_clusters(report: "ConsolidationReport") -> dict[str, Any]:
    return {
        **counts_of_run(report, "workspaces", "observations"),
        "moved": report.moved,
        "created": report.created,
        "removed": report.removed,
        **preview([masked(row) for row in report.preview]),
    }
