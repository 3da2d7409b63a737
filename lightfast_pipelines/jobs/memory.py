"""The main job: deliveries to observations, vectors and provisional clusters, for some days."""

from __future__ import annotations

import dagster as dg

from lightfast_pipelines.assets.captured import TABLES
from lightfast_pipelines.assets.checks import HOURLY
from lightfast_pipelines.assets.liveness import CHECKS

JOB = "memory"

memory = dg.define_asset_job(
    JOB,
    # Checks of what nobody reads for each webhook have a job of their own, once an hour.
    selection=(
        dg.AssetSelection.assets(*TABLES, "embeddings", "clusters")
        - dg.AssetSelection.checks(*CHECKS, *HOURLY)
    ),
    description=(
        "Captures the deliveries of some days, then their vectors and provisional clusters. Asked "
        "for by the sensor `new_payloads` it takes what waits; started by hand it reprocesses."
    ),
    # By hand it may be years of deliveries; the sensor asks for less (its runs are bounded).
    tags={"dagster/max_runtime": str(12 * 3600)},
)
