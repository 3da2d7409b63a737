"""Summarizes again the clusters whose members changed."""

from __future__ import annotations

from datetime import timedelta

from lightfast_pipelines.clustering.summaries import workspaces_due
from lightfast_pipelines.jobs.when_due import job_with_schedule, while_workspaces_are_due

summaries, summaries_when_due = job_with_schedule(
    "summaries",
    "cluster_summaries",
    description="Summarizes clusters that have no summary or a fifth of whose members changed.",
    max_runtime=timedelta(hours=1),
    cron="3-59/15 * * * *",
    when="Every quarter of an hour, and only where clusters were decided again.",
    due=while_workspaces_are_due(
        workspaces_due, otherwise="no clusters were decided since the summaries were written"
    ),
)
