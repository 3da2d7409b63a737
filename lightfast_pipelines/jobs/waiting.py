"""What waits for a person, listed anew when it changed and at least every hour."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from lightfast_pipelines.assets.waiting import ASSET, FINGERPRINT
from lightfast_pipelines.store.database import Database
from lightfast_pipelines.store.waiting import waiting_for_you

# Ages grow while nothing changes, and so may what the checks say.
AT_LEAST_EVERY = timedelta(hours=1)

waiting = dg.define_asset_job(
    "waiting",
    selection=dg.AssetSelection.assets(ASSET),
    description="Lists what is parked or dead and what would settle it, and checks how old it is.",
    tags={"dagster/max_runtime": "600"},
)


@dg.schedule(
    cron_schedule="*/10 * * * *",
    job=waiting,
    name="waiting_when_changed",
    description="Every ten minutes where the list changed, and at least every hour.",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    execution_timezone="UTC",
)
def waiting_when_changed(
    context: dg.ScheduleEvaluationContext, database: dg.ResourceParam[Database]
) -> dg.RunRequest | dg.SkipReason:
    now = datetime.now(UTC)
    with database.connect("pipeline", application_name="lightfast schedule") as conn:
        conn.execute("SET statement_timeout = '20s'")
        current = waiting_for_you(conn, now=now).fingerprint
    event = context.instance.get_latest_materialization_event(ASSET)
    if event is not None and event.asset_materialization is not None:
        listed = event.asset_materialization.metadata.get(FINGERPRINT)
        written = datetime.fromtimestamp(event.timestamp, UTC)
        if listed is not None and listed.value == current and now - written < AT_LEAST_EVERY:
            return dg.SkipReason("the list is as it was")
    return dg.RunRequest()
