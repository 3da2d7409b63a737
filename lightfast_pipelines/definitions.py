"""The one wiring file: assets, checks, jobs, schedules, sensors and the resources they share."""

from __future__ import annotations

import dagster as dg

from lightfast_pipelines.assets import checks, liveness
from lightfast_pipelines.assets.actor_profiles import actor_profiles
from lightfast_pipelines.assets.actors_and_clusters import actors_and_clusters
from lightfast_pipelines.assets.capture import capture
from lightfast_pipelines.assets.cluster_summaries import cluster_summaries
from lightfast_pipelines.assets.clusters import clusters
from lightfast_pipelines.assets.documents import documents
from lightfast_pipelines.assets.embeddings import embeddings
from lightfast_pipelines.assets.hosted_embeddings import hosted_embeddings
from lightfast_pipelines.assets.id_sweeps import id_sweeps
from lightfast_pipelines.assets.memory_quality import after_quality, memory_quality
from lightfast_pipelines.assets.memory_vectors import memory_vectors
from lightfast_pipelines.assets.model_answers import model_answers
from lightfast_pipelines.assets.observations_parquet import observations_parquet
from lightfast_pipelines.assets.outages import outages
from lightfast_pipelines.assets.pipeline_health import after_health, pipeline_health
from lightfast_pipelines.assets.provider_history import provider_history
from lightfast_pipelines.assets.provider_history_checks import after_history
from lightfast_pipelines.assets.raw_payloads import raw_payloads
from lightfast_pipelines.assets.vector_index import vector_index, vector_index_agrees
from lightfast_pipelines.assets.waiting_for_you import after_waiting, waiting_for_you
from lightfast_pipelines.jobs.backfill import backfill
from lightfast_pipelines.jobs.consolidation import consolidation, consolidation_when_due
from lightfast_pipelines.jobs.documents import documents as documents_job
from lightfast_pipelines.jobs.documents import documents_when_due
from lightfast_pipelines.jobs.export import export, export_when_due
from lightfast_pipelines.jobs.health import health, health_when_due
from lightfast_pipelines.jobs.hosted_vectors import hosted_vectors, hosted_vectors_when_due
from lightfast_pipelines.jobs.index import (
    compare_index,
    index,
    index_comparison,
    index_when_due,
)
from lightfast_pipelines.jobs.language import language, language_when_due
from lightfast_pipelines.jobs.layers import layers, layers_when_due
from lightfast_pipelines.jobs.liveness import hourly_liveness
from lightfast_pipelines.jobs.liveness import liveness as liveness_job
from lightfast_pipelines.jobs.memory import memory
from lightfast_pipelines.jobs.profiles import profiles, profiles_when_due
from lightfast_pipelines.jobs.quality import quality, quality_when_recorded
from lightfast_pipelines.jobs.recovery import (
    deletions,
    recover_missed_deliveries,
    recovery,
    sweep_for_deletions,
)
from lightfast_pipelines.jobs.summaries import summaries, summaries_when_due
from lightfast_pipelines.jobs.upkeep import nightly_upkeep, upkeep
from lightfast_pipelines.jobs.waiting import waiting, waiting_when_changed
from lightfast_pipelines.resources.apis import ApisResource
from lightfast_pipelines.resources.database import DatabaseResource
from lightfast_pipelines.resources.language import LanguageResource
from lightfast_pipelines.resources.models import (
    EmbedderResource,
    HostedEmbeddingResource,
    HostedIndexResource,
    VectorIndexResource,
)
from lightfast_pipelines.sensors.new_payloads import new_payloads
from lightfast_pipelines.sensors.run_failures import run_failures
from lightfast_pipelines.sensors.work_outside_runs import work_outside_runs


def build_definitions(**overrides: object) -> dg.Definitions:
    """The whole graph; `overrides` are resources by key, as objects or as Dagster's resources."""
    resources: dict[str, object] = {
        "database": DatabaseResource(),
        "apis": ApisResource(),
        "embedder": EmbedderResource(),
        "hosted_embedding": HostedEmbeddingResource(),
        "vector_index": VectorIndexResource(),
        "hosted_index": HostedIndexResource(),
        "language": LanguageResource(),
    }
    if unknown := overrides.keys() - resources.keys():
        raise ValueError(f"no such resource: {', '.join(sorted(unknown))}")
    return dg.Definitions(
        assets=[
            provider_history,
            raw_payloads,
            waiting_for_you,
            outages,
            id_sweeps,
            capture,
            model_answers,
            embeddings,
            hosted_embeddings,
            clusters,
            actors_and_clusters,
            actor_profiles,
            cluster_summaries,
            memory_vectors,
            vector_index,
            documents,
            memory_quality,
            pipeline_health,
            observations_parquet,
        ],
        asset_checks=[
            checks.after_capture,
            *checks.HOURLY,
            after_history,
            *liveness.CHECKS,
            after_waiting,
            vector_index_agrees,
            after_quality,
            after_health,
        ],
        jobs=[
            memory,
            backfill,
            hosted_vectors,
            language,
            consolidation,
            profiles,
            summaries,
            layers,
            index,
            index_comparison,
            documents_job,
            liveness_job,
            waiting,
            health,
            quality,
            recovery,
            deletions,
            export,
            upkeep,
        ],
        schedules=[
            hosted_vectors_when_due,
            language_when_due,
            consolidation_when_due,
            profiles_when_due,
            summaries_when_due,
            layers_when_due,
            index_when_due,
            documents_when_due,
            compare_index,
            hourly_liveness,
            waiting_when_changed,
            health_when_due,
            quality_when_recorded,
            recover_missed_deliveries,
            sweep_for_deletions,
            export_when_due,
            nightly_upkeep,
        ],
        sensors=[new_payloads, work_outside_runs, run_failures],
        resources={**resources, **overrides},
        # A chain of assets in one process takes as long as one asset; a process for each step, four
        # times that.
        executor=dg.in_process_executor,
    )


defs = build_definitions()
