"""Checks that no feature has died without any run failing: every hour while deliveries are captured."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import dagster as dg

from lightfast_pipelines.assets.checks import HOURLY
from lightfast_pipelines.assets.liveness import CHECKS, PATIENCE
from lightfast_pipelines.jobs.when_due import is_recent, schedule_when_due, scheduled_tags
from lightfast_pipelines.store.checks import has_captured_since
from lightfast_pipelines.store.database import Connection

AT_LEAST_EVERY = timedelta(days=1)

liveness = dg.define_asset_job(
    "liveness",
    selection=dg.AssetSelection.checks(*CHECKS, *HOURLY),
    description=(
        "Checks that no share of what should be there has fallen below its threshold, and the rows "
        "of the last day's captures."
    ),
    tags=scheduled_tags(timedelta(minutes=30)),
)


def _due(context: dg.ScheduleEvaluationContext, conn: Connection) -> Mapping[str, str] | str:
    checked = context.instance.get_run_records(
        dg.RunsFilter(job_name=liveness.name, statuses=[dg.DagsterRunStatus.SUCCESS]), limit=1
    )
    if not checked:
        return {}
    at = checked[0].create_timestamp.replace(tzinfo=UTC)
    is_checked = is_recent(at, datetime.now(UTC), within=AT_LEAST_EVERY)
    # What was captured shortly before the last checks did not count in them yet.
    if not is_checked or has_captured_since(conn, at - PATIENCE):
        return {}
    return "nothing has been captured since the last checks"


hourly_liveness = schedule_when_due(
    liveness,
    name="hourly_liveness",
    cron="40 * * * *",
    description="Every hour while deliveries are captured, and once a day.",
    due=_due,
)
