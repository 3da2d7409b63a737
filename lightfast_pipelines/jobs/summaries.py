"""Summarizes again the clusters whose members changed."""

from __future__ import annotations

from datetime import timedelta

import dagster as dg

from lightfast_pipelines.clustering.summaries import workspaces_due
from lightfast_pipelines.jobs.when_due import (
    schedule_when_due,
    scheduled_tags,
    while_workspaces_are_due,
)

summaries = dg.define_asset_job(
    "summaries",
    selection=dg.AssetSelection.assets("cluster_summaries").without_checks(),
    description="Summarizes clusters that have no summary or a fifth of whose members changed.",
    tags=scheduled_tags(timedelta(hours=1)),
)

summaries_when_due = schedule_when_due(
    summaries,
    name="summaries_when_due",
    cron="3-59/15 * * * *",
    description="Every quarter of an hour, and only where clusters were decided again.",
    due=while_workspaces_are_due(
        workspaces_due, otherwise="no clusters were decided since the summaries were written"
    ),
)
