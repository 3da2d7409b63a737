"""Whether the features live: the shares of what should be there, every hour."""

from __future__ import annotations

import dagster as dg

from lightfast_pipelines.assets.liveness import CHECKS

liveness = dg.define_asset_job(
    "liveness",
    selection=dg.AssetSelection.checks(*CHECKS),
    description="Checks that no share of what should be there has fallen below its threshold.",
    tags={"dagster/max_runtime": "1800"},
)

hourly_liveness = dg.ScheduleDefinition(
    name="hourly_liveness",
    job=liveness,
    cron_schedule="40 * * * *",
    execution_timezone="UTC",
    description="Every hour, whatever else did or did not run.",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
