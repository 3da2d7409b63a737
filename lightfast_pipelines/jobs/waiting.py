"""Lists what waits for a person whenever it changed, and at least once a day."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import dagster as dg

from lightfast_pipelines.assets.waiting_for_you import ASSET, FINGERPRINT, forgotten
from lightfast_pipelines.jobs.when_due import (
    is_recent,
    materialized_with,
    schedule_when_due,
    scheduled_tags,
)
from lightfast_pipelines.store.database import Connection

# The list shows ages, which grow while nothing else changes.
AT_LEAST_EVERY = timedelta(days=1)

waiting = dg.define_asset_job(
    "waiting",
    selection=dg.AssetSelection.assets(ASSET),
    description="Lists what is parked or dead and what would settle it, and checks how old it is.",
    tags=scheduled_tags(timedelta(minutes=10)),
)


def _due(context: dg.ScheduleEvaluationContext, conn: Connection) -> Mapping[str, str] | str:
    from lightfast_pipelines.inbox.waiting import waiting_for_you

    now = datetime.now(UTC)
    waiting = waiting_for_you(conn, now=now)
    listed_at = materialized_with(context.instance, ASSET, FINGERPRINT, waiting.fingerprint)
    if listed_at is None or not is_recent(listed_at, now, within=AT_LEAST_EVERY):
        return {}
    # Time alone can make a check fail.
    before, after = ([check.passed for check in forgotten(waiting, at)] for at in (listed_at, now))
    return {} if before != after else "the list has not changed"


waiting_when_changed = schedule_when_due(
    waiting,
    name="waiting_when_changed",
    cron="*/10 * * * *",
    description="Every ten minutes where the list or a check of its ages changed, and once a day.",
    due=_due,
)
