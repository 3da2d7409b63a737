"""Lists what waits for a person whenever it changed, and at least every hour."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import dagster as dg

from lightfast_pipelines.assets.waiting_for_you import ASSET, FINGERPRINT
from lightfast_pipelines.jobs.when_due import materialized_with, schedule_when_due, scheduled_tags
from lightfast_pipelines.store.database import Connection

# Ages grow while nothing else changes, and may make a check fail.
AT_LEAST_EVERY = timedelta(hours=1)

waiting = dg.define_asset_job(
    "waiting",
    selection=dg.AssetSelection.assets(ASSET),
    description="Lists what is parked or dead and what would settle it, and checks how old it is.",
    tags=scheduled_tags(timedelta(minutes=10)),
)


def _due(context: dg.ScheduleEvaluationContext, conn: Connection) -> Mapping[str, str] | str:
    from lightfast_pipelines.inbox.waiting import waiting_for_you

    now = datetime.now(UTC)
    current = waiting_for_you(conn, now=now).fingerprint
    listed_at = materialized_with(context.instance, ASSET, FINGERPRINT, current)
    if listed_at is not None and now - listed_at < AT_LEAST_EVERY:
        return "the list has not changed"
    return {}


waiting_when_changed = schedule_when_due(
    waiting,
    name="waiting_when_changed",
    cron="*/10 * * * *",
    description="Every ten minutes where the list changed, and at least every hour.",
    due=_due,
)
