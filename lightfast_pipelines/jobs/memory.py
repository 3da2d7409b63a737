"""The main job: turns the deliveries of some days into observations, vectors and provisional clusters."""

from __future__ import annotations

import dagster as dg

from lightfast_pipelines.assets.capture import TABLES
from lightfast_pipelines.assets.checks import HOURLY
from lightfast_pipelines.assets.liveness import CHECKS

JOB = "memory"

memory = dg.define_asset_job(
    JOB,
    # The hourly checks have a job of their own: nobody reads their results for each webhook.
    selection=(
        dg.AssetSelection.assets(*TABLES, "embeddings", "clusters")
        - dg.AssetSelection.checks(*CHECKS, *HOURLY)
    ),
    description=(
        "Captures the deliveries of some days, then their vectors and provisional clusters. Asked "
        "for by the sensor `new_payloads` it takes what waits; started by hand it reprocesses."
    ),
    # A run started by hand may process years of deliveries; the sensor's runs are bounded.
    tags={"dagster/max_runtime": str(12 * 3600)},
)
