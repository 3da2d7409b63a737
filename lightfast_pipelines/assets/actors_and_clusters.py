"""Who is who: identities of an organisation joined to people and bots."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from lightfast_pipelines.assets._metadata import table_rows, table_spec
from lightfast_pipelines.assets._turn import turn
from lightfast_pipelines.inbox.rule_versions import code_version
from lightfast_pipelines.people.organisations import decide_people
from lightfast_pipelines.store.database import Database


@dg.multi_asset(
    name="decide_actors",
    specs=[
        table_spec(
            "actors", deps=["actor_identities"], skippable=True, code_version=code_version("actors")
        )
    ],
    retry_policy=dg.RetryPolicy(max_retries=1, delay=2),
)
def actors(
    context: dg.AssetExecutionContext, database: dg.ResourceParam[Database]
) -> Iterator[dg.MaterializeResult[None]]:
    """Decides who is who in every organisation that changed; people's own decisions stand."""
    # The lock of consolidation, which `lightfast process` holds as well while it decides actors.
    with turn(context, database, "consolidation") as conn:
        if conn is None:
            return
        reports = decide_people(conn, now=datetime.now(UTC)).decided
        size = table_rows(conn, ["actors"])["actors"]
    yield dg.MaterializeResult(
        asset_key="actors",
        metadata={
            "dagster/row_count": size,
            "organisations_of_run": len(reports),
            "identities_of_run": sum(report.identities for report in reports),
            "identities_joined": sum(report.joined for report in reports),
            "bots": sum(report.bots for report in reports),
            "identities_changed": sum(len(report.changed) for report in reports),
        },
    )
