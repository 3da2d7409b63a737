"""Who is who and what belongs together, decided anew for what changed, every few minutes."""

import dagster as dg

from lightfast_pipelines.capture.versions import CLUSTER_RULES
from lightfast_pipelines.store.database import Database
from lightfast_pipelines.store.pending import workspaces_due

consolidation = dg.define_asset_job(
    "consolidation",
    selection=dg.AssetSelection.assets("actors", "cluster_consolidation"),
    description="Decides actors and clusters of every workspace that changed since the last time.",
    tags={"dagster/max_runtime": str(2 * 3600)},
)


@dg.schedule(
    cron_schedule="*/5 * * * *",
    job=consolidation,
    name="consolidation_when_due",
    description="Every five minutes, and only where a workspace changed.",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    execution_timezone="UTC",
)
def consolidation_when_due(database: dg.ResourceParam[Database]) -> dg.RunRequest | dg.SkipReason:
    with database.connect("pipeline", application_name="lightfast schedule") as conn:
        conn.execute("SET statement_timeout = '20s'")
        due = workspaces_due(conn, cluster_rule_version=CLUSTER_RULES)
    if not due:
        return dg.SkipReason("no workspace has changed")
    return dg.RunRequest(tags={"lightfast/workspaces": str(due)})
