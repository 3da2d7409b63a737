"""Looks for lost deliveries every quarter of an hour and for deletions every hour.

Only if an installation has a credential to ask its provider with.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import dagster as dg

from lightfast_pipelines.assets import id_sweeps, outages
from lightfast_pipelines.jobs.when_due import schedule_when_due, scheduled_tags
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.sources import find_sources

recovery = dg.define_asset_job(
    "recovery",
    selection=dg.AssetSelection.assets(outages.ASSET),
    description=(
        "Compares the providers' logs of deliveries with what arrived, and gets what is missing."
    ),
    tags=scheduled_tags(timedelta(hours=1)),
)

deletions = dg.define_asset_job(
    "deletions",
    selection=dg.AssetSelection.assets(id_sweeps.ASSET),
    description="Looks for things that were deleted without a webhook, within a share of the rate limits.",
    tags=scheduled_tags(timedelta(hours=1)),
)


def _if_a_provider_can_be_asked(
    _context: dg.ScheduleEvaluationContext, conn: Connection
) -> Mapping[str, str] | str:
    if any(source.has_credential and source.refused is None for source in find_sources(conn)):
        return {}
    return "no linked resource has a credential to ask its provider with"


recover_missed_deliveries = schedule_when_due(
    recovery,
    name="recover_missed_deliveries",
    cron="*/15 * * * *",
    description="Every quarter of an hour, where an installation has a credential.",
    due=_if_a_provider_can_be_asked,
)

sweep_for_deletions = schedule_when_due(
    deletions,
    name="sweep_for_deletions",
    cron="25 * * * *",
    description="Every hour, where an installation has a credential.",
    due=_if_a_provider_can_be_asked,
)
