"""What people work on: a profile for everybody who took part in a workspace."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from lightfast_pipelines.assets._metadata import (
    bars,
    code_version,
    counts_of_run,
    preview,
    table_rows,
    table_spec,
)
from lightfast_pipelines.assets._turn import progress_log, turn
from lightfast_pipelines.store.database import Database


@dg.multi_asset(
    specs=[
        table_spec(
            "actor_profiles",
            deps=["actors", "observations"],
            skippable=True,
            code_version=code_version("actor_profiles"),
        )
    ],
    retry_policy=dg.RetryPolicy(max_retries=1, delay=2),
)
def actor_profiles(
    context: dg.AssetExecutionContext, database: dg.ResourceParam[Database]
) -> Iterator[dg.MaterializeResult[None]]:
    """One row: what a person or bot does in a workspace. Written again when the evidence changed."""
    from lightfast_pipelines.inbox.pending import profile_sizes
    from lightfast_pipelines.people.profiles import update_profiles

    with turn(context, database, "profiles") as conn:
        if conn is None:
            return
        progress = progress_log(context, "profiles")
        report = update_profiles(conn, now=datetime.now(UTC), progress=progress)
        rows, sizes = table_rows(conn, "actor_profiles"), profile_sizes(conn)
    yield dg.MaterializeResult(
        asset_key="actor_profiles",
        metadata={
            "dagster/row_count": rows,
            **counts_of_run(report, "workspaces", "written", "removed", "observations"),
            **preview(report.preview),
            **bars("sizes", "Profiles by number of observations", sizes),
        },
    )
