"""What people work on, made anew for whose evidence changed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import dagster as dg

from lightfast_pipelines.jobs.when_due import schedule_when_due, scheduled_tags
from lightfast_pipelines.people.profiles import workspaces_due
from lightfast_pipelines.store.database import Connection

profiles = dg.define_asset_job(
    "profiles",
    selection=dg.AssetSelection.assets("actor_profiles").without_checks(),
    description="Makes the profiles anew of everybody whose evidence changed.",
    tags=scheduled_tags(timedelta(hours=1)),
)


def _due(_context: dg.ScheduleEvaluationContext, conn: Connection) -> Mapping[str, str] | str:
    due = workspaces_due(conn)
    if not due:
        return "nothing has changed since the profiles were made"
    return {"lightfast/workspaces": str(due)}


profiles_when_due = schedule_when_due(
    profiles,
    name="profiles_when_due",
    cron="8-59/15 * * * *",
    description="Every quarter of an hour, and only where something changed in an organisation.",
    due=_due,
)
