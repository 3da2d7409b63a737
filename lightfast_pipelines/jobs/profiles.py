"""Writes the profiles again of everybody whose evidence changed."""

from __future__ import annotations

from datetime import timedelta

import dagster as dg

from lightfast_pipelines.jobs.when_due import (
    schedule_when_due,
    scheduled_tags,
    while_workspaces_are_due,
)
from lightfast_pipelines.people.profiles import workspaces_due

profiles = dg.define_asset_job(
    "profiles",
    selection=dg.AssetSelection.assets("actor_profiles").without_checks(),
    description="Writes the profiles again of everybody whose evidence changed.",
    tags=scheduled_tags(timedelta(hours=1)),
)

profiles_when_due = schedule_when_due(
    profiles,
    name="profiles_when_due",
    cron="8-59/15 * * * *",
    description="Every quarter of an hour, and only where something changed in an organisation.",
    due=while_workspaces_are_due(
        workspaces_due, otherwise="nothing has changed since the profiles were written"
    ),
)
