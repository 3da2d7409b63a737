"""Shows a measurement of the memory's quality after it was recorded: a run for each, none between."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import dagster as dg

from lightfast_pipelines.assets.memory_quality import ASSET, MEASURED_AT
from lightfast_pipelines.jobs.when_due import materialized_with, schedule_when_due, scheduled_tags
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.quality import last_measured

quality = dg.define_asset_job(
    "quality",
    selection=dg.AssetSelection.assets(ASSET),
    description="Shows the last measurement of the memory's quality, and checks it against its floors.",
    tags=scheduled_tags(timedelta(minutes=10)),
)


def _due(context: dg.ScheduleEvaluationContext, conn: Connection) -> Mapping[str, str] | str:
    at = last_measured(conn)
    if at is None:
        return "nothing has been measured"
    if materialized_with(context.instance, ASSET, MEASURED_AT, at.isoformat()):
        return "the last measurement is shown"
    return {}


quality_when_recorded = schedule_when_due(
    quality,
    name="quality_when_recorded",
    cron="35 * * * *",
    description="Once after each measurement that `python -m bench.quality --record` recorded.",
    due=_due,
)
