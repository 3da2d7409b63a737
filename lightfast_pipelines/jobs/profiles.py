"""Writes the profiles again of everybody whose evidence changed."""

from __future__ import annotations

from datetime import timedelta

from lightfast_pipelines.jobs.when_due import job_with_schedule, while_workspaces_are_due
from lightfast_pipelines.store.database import Connection


def _workspaces(conn: Connection) -> int:
    from lightfast_pipelines.people.profiles import workspaces_due

    return workspaces_due(conn)


profiles, profiles_when_due = job_with_schedule(
    "profiles",
    "actor_profiles",
    description="Writes the profiles again of everybody whose evidence changed.",
    max_runtime=timedelta(hours=1),
    cron="8-59/15 * * * *",
    when="Every quarter of an hour, and only where something changed in an organisation.",
    due=while_workspaces_are_due(
        _workspaces, otherwise="nothing has changed since the profiles were written"
    ),
)
