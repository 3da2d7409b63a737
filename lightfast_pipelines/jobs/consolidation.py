"""Decides again, every few minutes, who is who and what belongs together where something changed."""

from __future__ import annotations

from datetime import timedelta

import dagster as dg

from lightfast_pipelines.inbox.pending import workspaces_due
from lightfast_pipelines.inbox.rule_versions import CLUSTER_RULES
from lightfast_pipelines.jobs.when_due import (
    schedule_when_due,
    scheduled_tags,
    while_workspaces_are_due,
)

consolidation = dg.define_asset_job(
    "consolidation",
    selection=dg.AssetSelection.assets("actors", "cluster_consolidation"),
    description="Decides actors and clusters of every workspace that changed since the last time.",
    tags=scheduled_tags(timedelta(hours=2)),
)

consolidation_when_due = schedule_when_due(
    consolidation,
    name="consolidation_when_due",
    cron="*/5 * * * *",
    description="Every five minutes, and only where a workspace changed.",
    due=while_workspaces_are_due(
        lambda conn: workspaces_due(conn, cluster_rule_version=CLUSTER_RULES),
        otherwise="no workspace has changed",
    ),
)
