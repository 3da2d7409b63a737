"""Checks every hour that no feature has died without any run failing."""

from __future__ import annotations

from datetime import timedelta

import dagster as dg

from lightfast_pipelines.assets.checks import HOURLY
from lightfast_pipelines.assets.liveness import CHECKS
from lightfast_pipelines.jobs.when_due import schedule_when_due, scheduled_tags

liveness = dg.define_asset_job(
    "liveness",
    selection=dg.AssetSelection.checks(*CHECKS, *HOURLY),
    description=(
        "Checks that no share of what should be there has fallen below its threshold, and the rows "
        "of the last day's captures."
    ),
    tags=scheduled_tags(timedelta(minutes=30)),
)

hourly_liveness = schedule_when_due(
    liveness,
    name="hourly_liveness",
    cron="40 * * * *",
    description="Every hour, whatever else did or did not run.",
)
