"""Exports the analysts' views every night, where a setting names a folder for them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import dagster as dg

from lightfast_pipelines.jobs.when_due import cron_of_service, job_with_schedule
from lightfast_pipelines.partitions import today
from lightfast_pipelines.resources.database import PENDING_TAG
from lightfast_pipelines.settings import settings
from lightfast_pipelines.store.database import Connection


def _due(_context: dg.ScheduleEvaluationContext, _conn: Connection) -> Mapping[str, str] | str:
    """Tags of a run over today, which exports all days, as rows of any of them may have changed."""
    from lightfast_pipelines.export.run import EXPORT_IS_OFF

    if settings().export_dir is None:
        return EXPORT_IS_OFF
    return {"dagster/partition": today().isoformat(), PENDING_TAG: "export"}


export, export_when_due = job_with_schedule(
    "export",
    "observations_parquet",
    description="Writes the Parquet files of the days whose rows changed since the last export.",
    max_runtime=timedelta(hours=6),
    cron=cron_of_service("40 0 * * *", is_on=settings().export_dir is not None),
    when="Every night, where LIGHTFAST_EXPORT_DIR names a folder.",
    due=_due,
)
