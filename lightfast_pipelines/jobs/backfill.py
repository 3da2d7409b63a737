"""Reads the providers' history of some days; a person starts it."""

from __future__ import annotations

import dagster as dg

from lightfast_pipelines.assets.provider_history import ASSET
from lightfast_pipelines.jobs.when_due import BACKFILL_LANE, LANE_TAG

backfill = dg.define_asset_job(
    "backfill",
    selection=dg.AssetSelection.assets(ASSET),
    description=(
        "Reads the history of some days from the linked resources' providers and puts it into the inbox. "
        "Start it with a range of days; what is covered already is not asked for again."
    ),
    # It may wait for hours after a provider's limit is used up; that does not mean that it hangs.
    tags={"dagster/max_runtime": str(48 * 3600), LANE_TAG: BACKFILL_LANE},
)
