"""Decides again, every few minutes, who is who and what belongs together where something changed."""

from __future__ import annotations

from datetime import timedelta

from lightfast_pipelines.jobs.when_due import job_with_schedule, while_workspaces_are_due
from lightfast_pipelines.store.database import Connection


def _workspaces(conn: Connection) -> int:
    from lightfast_pipelines.inbox.pending import workspaces_due
    from lightfast_pipelines.inbox.rule_versions import CLUSTER_RULES

    return workspaces_due(conn, cluster_rule_version=CLUSTER_RULES)


consolidation, consolidation_when_due = job_with_schedule(
    "consolidation",
    "actors",
    "cluster_consolidation",
    description="Decides actors and clusters of every workspace that changed since the last time.",
    max_runtime=timedelta(hours=2),
    cron="*/5 * * * *",
    when="Every five minutes, and only where a workspace changed.",
    due=while_workspaces_are_due(_workspaces, otherwise="no workspace has changed"),
)
