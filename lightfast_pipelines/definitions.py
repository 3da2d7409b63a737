"""The one wiring file: assets, checks, jobs, schedules, sensors and the resources they share."""

from __future__ import annotations

import dagster as dg

from lightfast_pipelines.assets import actor_profiles as profiles
from lightfast_pipelines.assets import actors as people
from lightfast_pipelines.assets import captured as memory
from lightfast_pipelines.assets import (
    checks,
    liveness,
    provider_history,
    provider_history_checks,
    recovery,
    waiting,
)
from lightfast_pipelines.assets import cluster_summaries as summaries
from lightfast_pipelines.assets import clusters as topics
from lightfast_pipelines.assets import embeddings as meaning
from lightfast_pipelines.assets import raw_payloads as inbox
from lightfast_pipelines.jobs.backfill import backfill
from lightfast_pipelines.jobs.consolidation import consolidation, consolidation_when_due
from lightfast_pipelines.jobs.liveness import hourly_liveness
from lightfast_pipelines.jobs.liveness import liveness as liveness_job
from lightfast_pipelines.jobs.memory import memory as memory_job
from lightfast_pipelines.jobs.profiles import profiles as profiles_job
from lightfast_pipelines.jobs.profiles import profiles_when_due
from lightfast_pipelines.jobs.recovery import (
    deletions,
    recover_missed_deliveries,
    sweep_for_deletions,
)
from lightfast_pipelines.jobs.recovery import recovery as recovery_job
from lightfast_pipelines.jobs.summaries import summaries as summaries_job
from lightfast_pipelines.jobs.summaries import summaries_when_due
from lightfast_pipelines.jobs.upkeep import nightly_upkeep, upkeep
from lightfast_pipelines.jobs.waiting import waiting as waiting_job
from lightfast_pipelines.jobs.waiting import waiting_when_changed
from lightfast_pipelines.resources.apis import ApisResource
from lightfast_pipelines.resources.database import DatabaseResource
from lightfast_pipelines.resources.models import EmbedderResource, VectorIndexResource
from lightfast_pipelines.sensors.new_payloads import new_payloads
from lightfast_pipelines.sensors.run_failures import run_failures
from lightfast_pipelines.sensors.work_outside_runs import work_outside_runs


def build_definitions(**overrides: object) -> dg.Definitions:
    """The whole graph; `overrides` are resources by key, as objects or as Dagster's resources."""
    resources: dict[str, object] = {
        "database": DatabaseResource(),
        "apis": ApisResource(),
        "embedder": EmbedderResource(),
        "vector_index": VectorIndexResource(),
    }
    if unknown := overrides.keys() - resources.keys():
        raise ValueError(f"no such resource: {', '.join(sorted(unknown))}")
    return dg.Definitions(
        assets=[
            provider_history.provider_history,
            inbox.raw_payloads,
            waiting.waiting_for_you,
            recovery.outages,
            recovery.id_sweeps,
            memory.capture,
            meaning.embeddings,
            topics.clusters,
            people.actors,
            topics.cluster_consolidation,
            profiles.actor_profiles,
            summaries.cluster_summaries,
        ],
        asset_checks=[
            checks.after_capture,
            *checks.HOURLY,
            provider_history_checks.after_history,
            *liveness.CHECKS,
            waiting.nothing_forgotten,
        ],
        jobs=[
            memory_job,
            backfill,
            consolidation,
            profiles_job,
            summaries_job,
            liveness_job,
            waiting_job,
            recovery_job,
            deletions,
            upkeep,
        ],
        schedules=[
            consolidation_when_due,
            profiles_when_due,
            summaries_when_due,
            hourly_liveness,
            waiting_when_changed,
            recover_missed_deliveries,
            sweep_for_deletions,
            nightly_upkeep,
        ],
        sensors=[new_payloads, work_outside_runs, run_failures],
        resources={**resources, **overrides},
        # A chain of assets in one process costs what one asset does; a process a step four times that.
        executor=dg.in_process_executor,
    )


defs = build_definitions()
