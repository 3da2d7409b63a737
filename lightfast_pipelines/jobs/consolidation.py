"""Decides again, every few minutes, who is who and what belongs together where something changed."""

from __future__ import annotations

from datetime import timedelta

from lightfast_pipelines.inbox.pending import workspaces_due
from lightfast_pipelines.inbox.rule_versions import CLUSTER_RULES
from lightfast_pipelines.jobs.when_due import job_with_schedule, while_workspaces_are_due

consolidation, consolidation_when_due = job_with_schedule(
    "consolidation",
    "actors",
    "cluster_consolidation",
    description="Decides actors and clusters of every workspace that changed since the last time.",
    max_runtime=timedelta(hours=2),
    cron="*/5 * * * *",
    when="Every five minutes, and only where a workspace changed.",
    due=while_workspaces_are_due(
        lambda conn: workspaces_due(conn, cluster_rule_version=CLUSTER_RULES),
        otherwise="no workspace has changed",
    ),
)
