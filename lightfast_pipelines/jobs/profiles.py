"""Writes the profiles again of everybody whose evidence changed."""

from __future__ import annotations

from datetime import timedelta

from lightfast_pipelines.jobs.when_due import job_with_schedule, while_workspaces_are_due
from lightfast_pipelines.people.profiles import workspaces_due

profiles, profiles_when_due = job_with_schedule(
    "profiles",
    "actor_profiles",
    description="Writes the profiles again of everybody whose evidence changed.",
    max_runtime=timedelta(hours=1),
    cron="8-59/15 * * * *",
    when="Every quarter of an hour, and only where something changed in an organisation.",
    due=while_workspaces_are_due(
        workspaces_due, otherwise="nothing has changed since the profiles were written"
    ),
)
