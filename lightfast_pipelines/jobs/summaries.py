"""What clusters are about, written anew for those whose members changed."""

import dagster as dg

from lightfast_pipelines.capture.summaries import workspaces_due
from lightfast_pipelines.store.database import Database

summaries = dg.define_asset_job(
    "summaries",
    selection=dg.AssetSelection.assets("cluster_summaries").without_checks(),
    description="Summarizes clusters that have no summary or a fifth of whose members changed.",
    tags={"dagster/max_runtime": "3600"},
)


@dg.schedule(
    cron_schedule="3-59/15 * * * *",
    job=summaries,
    name="summaries_when_due",
    description="Every quarter of an hour, and only where clusters were decided anew.",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    execution_timezone="UTC",
)
def summaries_when_due(database: dg.ResourceParam[Database]) -> dg.RunRequest | dg.SkipReason:
    with database.connect("pipeline", application_name="lightfast schedule") as conn:
        conn.execute("SET statement_timeout = '20s'")
        due = workspaces_due(conn)
    if not due:
        return dg.SkipReason("no clusters were decided since the summaries were written")
    return dg.RunRequest(tags={"lightfast/workspaces": str(due)})
