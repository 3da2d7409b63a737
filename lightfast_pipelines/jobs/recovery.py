"""Nothing missed: lost deliveries every quarter of an hour, deletions every hour.

Only where an installation has a credential to ask with.
"""

import dagster as dg

from lightfast_pipelines.assets.recovery import OUTAGES, SWEEPS
from lightfast_pipelines.store.backfills import find_sources
from lightfast_pipelines.store.database import Database

recovery = dg.define_asset_job(
    "recovery",
    selection=dg.AssetSelection.assets(OUTAGES),
    description=(
        "Compares the providers' logs of deliveries with what arrived, and gets what is missing."
    ),
    tags={"dagster/max_runtime": "3600"},
)

deletions = dg.define_asset_job(
    "deletions",
    selection=dg.AssetSelection.assets(SWEEPS),
    description="Looks for things that were deleted without a word, within a share of the budgets.",
    tags={"dagster/max_runtime": "3600"},
)


@dg.schedule(
    cron_schedule="*/15 * * * *",
    job=recovery,
    name="recover_missed_deliveries",
    description="Every quarter of an hour, where an installation has a credential.",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    execution_timezone="UTC",
)
def recover_missed_deliveries(
    database: dg.ResourceParam[Database],
) -> dg.RunRequest | dg.SkipReason:
    return _where_it_can_ask(database)


@dg.schedule(
    cron_schedule="25 * * * *",
    job=deletions,
    name="sweep_for_deletions",
    description="Every hour, where an installation has a credential.",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    execution_timezone="UTC",
)
def sweep_for_deletions(database: dg.ResourceParam[Database]) -> dg.RunRequest | dg.SkipReason:
    return _where_it_can_ask(database)


def _where_it_can_ask(database: Database) -> dg.RunRequest | dg.SkipReason:
    with database.connect("pipeline", application_name="lightfast schedule") as conn:
        conn.execute("SET statement_timeout = '20s'")
        sources = find_sources(conn)
    if any(one.has_credential and one.refused is None for one in sources):
        return dg.RunRequest()
    return dg.SkipReason("no linked resource has a credential to ask its provider with")
