"""What people work on, made anew for whose evidence changed."""

import dagster as dg

from lightfast_pipelines.capture.profiles import workspaces_due
from lightfast_pipelines.store.database import Database

profiles = dg.define_asset_job(
    "profiles",
    selection=dg.AssetSelection.assets("actor_profiles").without_checks(),
    description="Makes the profiles anew of everybody whose evidence changed.",
    tags={"dagster/max_runtime": "3600"},
)


@dg.schedule(
    cron_schedule="8-59/15 * * * *",
    job=profiles,
    name="profiles_when_due",
    description="Every quarter of an hour, and only where something changed in an organisation.",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    execution_timezone="UTC",
)
def profiles_when_due(database: dg.ResourceParam[Database]) -> dg.RunRequest | dg.SkipReason:
    with database.connect("pipeline", application_name="lightfast schedule") as conn:
        conn.execute("SET statement_timeout = '20s'")
        due = workspaces_due(conn)
    if not due:
        return dg.SkipReason("nothing has changed since the profiles were made")
    return dg.RunRequest(tags={"lightfast/workspaces": str(due)})
