"""The graph as Dagster resolves it: names that users see and other files rely on."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest

from lightfast_pipelines.assets import liveness
from lightfast_pipelines.assets.capture import TABLES
from lightfast_pipelines.assets.checks import HOURLY
from lightfast_pipelines.definitions import build_definitions, defs
from lightfast_pipelines.inbox.rule_versions import CLUSTER_RULES
from lightfast_pipelines.partitions import DAILY, first_day, today
from lightfast_pipelines.providers import discover
from lightfast_pipelines.store.tables import view_metadata

DAILY_ASSETS = {
    "provider_history",
    "raw_payloads",
    *TABLES,
    "embeddings",
    "hosted_embeddings",
    "clusters",
    "observations_parquet",
}

# Asset -> (group, what it depends on).
GRAPH = {
    "provider_history": ("inbox", set()),
    "raw_payloads": ("inbox", {"provider_history"}),
    "waiting_for_you": ("inbox", {"observations"}),
    "outages": ("inbox", set()),
    "id_sweeps": ("inbox", {"observations"}),
    "observations": ("memory", {"raw_payloads"}),
    "entities": ("knowledge", {"raw_payloads"}),
    "observation_entities": ("knowledge", {"raw_payloads"}),
    "relationships": ("knowledge", {"raw_payloads"}),
    "actor_identities": ("people", {"raw_payloads"}),
    "temporal_states": ("states", {"raw_payloads"}),
    "model_answers": ("language", {"observations"}),
    "embeddings": ("meaning", {"observations", "temporal_states"}),
    "hosted_embeddings": ("meaning", {"embeddings"}),
    "clusters": ("topics", {"embeddings"}),
    "actors": ("people", {"actor_identities"}),
    "cluster_consolidation": ("topics", {"clusters", "actors"}),
    "actor_profiles": ("people", {"actors", "observations"}),
    "cluster_summaries": ("topics", {"cluster_consolidation"}),
    "vector_index": ("meaning", {"embeddings", "hosted_embeddings", "memory_vectors"}),
    "memory_vectors": ("meaning", {"embeddings", "cluster_summaries", "actor_profiles"}),
    "documents": ("documents", {"observations"}),
    "memory_quality": ("memory", set()),
    "pipeline_health": ("inbox", set()),
    "observations_parquet": (
        "analysis",
        {"observations", "temporal_states", "clusters", "actors"},
    ),
}


def specs() -> dict[str, dg.AssetSpec]:
    return {spec.key.to_user_string(): spec for spec in defs.resolve_all_asset_specs()}


def repository() -> Any:
    return defs.get_repository_def()


def test_everything_can_be_loaded() -> None:
    dg.Definitions.validate_loadable(defs)


def test_the_graph_has_these_assets_groups_and_dependencies() -> None:
    actual = {
        name: (spec.group_name, {dep.asset_key.to_user_string() for dep in spec.deps})
        for name, spec in specs().items()
    }
    assert actual == GRAPH


def test_every_asset_states_its_owner_its_row_and_its_columns() -> None:
    for name, spec in specs().items():
        room = str(spec.owners[0]).removeprefix("team:")
        rooms = {
            *("inbox", "capture", "language", "people", "embedding", "clustering"),
            *("documents", "export"),
        }
        assert room in rooms, name
        assert 1 <= len(spec.kinds) <= 3, name
        assert (spec.description or "").startswith("One row: "), name
        schema = spec.metadata["dagster/column_schema"]
        assert isinstance(schema, dg.TableSchema)
        assert all(column.description and column.type for column in schema.columns), name
    columns = {c.name for c in specs()["observations"].metadata["dagster/column_schema"].columns}
    assert columns == {
        column.name for column in view_metadata.tables["lightfast.observations"].columns
    }


def test_dagster_warns_when_no_work_has_arrived_for_days() -> None:
    watched = {name for name, spec in specs().items() if spec.freshness_policy is not None}
    assert watched == {"raw_payloads", "observations"}


def test_a_code_version_names_the_rules_of_the_asset() -> None:
    versions = {name: spec.code_version for name, spec in specs().items()}
    rules = ", ".join(f"{name} {provider.rule_version}" for name, provider in discover().items())
    assert {versions[name] for name in TABLES} == {rules}
    assert versions["clusters"] == versions["actors"] == f"clusters {CLUSTER_RULES}"


def test_daily_assets_share_one_partitions_object_and_run_a_range_in_one_run() -> None:
    graph = repository().asset_graph
    for name in GRAPH:
        node = graph.get(dg.AssetKey(name))
        if name not in DAILY_ASSETS:
            assert node.partitions_def is None, name
            continue
        assert node.partitions_def is DAILY, name
        if name != "raw_payloads":
            # One asset without it would split the job into a run for each day.
            assert node.backfill_policy == dg.BackfillPolicy.single_run(), name


def test_today_is_a_partition_and_so_is_the_first_day() -> None:
    assert DAILY.has_partition_key(today().isoformat())
    assert DAILY.has_partition_key(first_day().isoformat())


def test_capture_cannot_run_in_parts() -> None:
    capture = repository().assets_defs_by_key[dg.AssetKey("observations")]
    assert not capture.can_subset
    assert {key.to_user_string() for key in capture.keys} == set(TABLES)


def test_jobs_schedules_and_sensors_are_these_and_have_descriptions() -> None:
    resolved = repository()
    jobs = {job.name: job for job in resolved.get_all_jobs() if not job.name.startswith("__")}
    assert set(jobs) == {
        *(
            "memory",
            "backfill",
            "hosted_vectors",
            "language",
            "consolidation",
            "profiles",
            "summaries",
            "layers",
            "index",
            "index_comparison",
            "repository_documents",
            "liveness",
            "waiting",
            "quality",
            "health",
            "export",
            "upkeep",
        ),
        *("recovery", "deletions"),
    }
    selected = {
        name: {key.to_user_string() for key in job.asset_layer.selected_asset_keys}
        for name, job in jobs.items()
    }
    assert selected == {
        "memory": {*TABLES, "embeddings", "clusters"},
        "backfill": {"provider_history"},
        "hosted_vectors": {"hosted_embeddings"},
        "language": {"model_answers"},
        "consolidation": {"actors", "cluster_consolidation"},
        "profiles": {"actor_profiles"},
        "summaries": {"cluster_summaries"},
        "layers": {"memory_vectors"},
        "index": {"vector_index"},
        "index_comparison": set(),
        "repository_documents": {"documents"},
        "liveness": set(),
        "waiting": {"waiting_for_you"},
        "health": {"pipeline_health"},
        "quality": {"memory_quality"},
        "recovery": {"outages"},
        "deletions": {"id_sweeps"},
        "export": {"observations_parquet"},
        "upkeep": set(),
    }
    for job in jobs.values():
        assert job.description
        assert int(job.tags["dagster/max_runtime"]) > 0
        assert job.executor_def is dg.in_process_executor
    # Without a key; with one, those of hosted services tick every minute or every five.
    schedules = {s.name: (s.job_name, s.cron_schedule) for s in resolved.schedule_defs}
    assert schedules == {
        "hosted_vectors_when_due": ("hosted_vectors", "50 * * * *"),
        "language_when_due": ("language", "50 * * * *"),
        "consolidation_when_due": ("consolidation", "*/5 * * * *"),
        "profiles_when_due": ("profiles", "8-59/15 * * * *"),
        "summaries_when_due": ("summaries", "3-59/15 * * * *"),
        "layers_when_due": ("layers", "10-59/15 * * * *"),
        "index_when_due": ("index", "50 * * * *"),
        "repository_documents_when_due": ("repository_documents", "*/2 * * * *"),
        "compare_index": ("index_comparison", "45 * * * *"),
        "hourly_liveness": ("liveness", "40 * * * *"),
        "waiting_when_changed": ("waiting", "*/10 * * * *"),
        "health_when_due": ("health", "*/10 * * * *"),
        "quality_when_recorded": ("quality", "35 * * * *"),
        "recover_missed_deliveries": ("recovery", "*/15 * * * *"),
        "sweep_for_deletions": ("deletions", "25 * * * *"),
        "export_when_due": ("export", "50 * * * *"),
        "nightly_upkeep": ("upkeep", "20 3 * * *"),
    }
    sensors = {s.name: s.minimum_interval_seconds for s in resolved.sensor_defs}
    assert sensors == {"new_payloads": 10, "work_outside_runs": 60, "run_failures": 60}
    for definition in (*resolved.schedule_defs, *resolved.sensor_defs):
        assert definition.description
        assert definition.default_status.value == "RUNNING"


def test_only_these_checks_block_later_assets() -> None:
    actual = {
        spec.name: (spec.asset_key.to_user_string(), spec.blocking)
        for checks in repository().asset_checks_defs_by_key.values()
        for spec in checks.check_specs
    }
    assert actual == {
        "delivered_is_observed": ("observations", False),
        "observation_has_payload": ("observations", False),
        "refused_says_why": ("observations", False),
        "one_current_state": ("temporal_states", True),
        "quality_above_floor": ("memory_quality", True),
        "history_is_whole": ("provider_history", False),
        "no_history_failed": ("provider_history", False),
        "no_stage_behind": ("clusters", False),
        "clusters_have_a_summary": ("cluster_summaries", False),
        "sentences_supported": ("cluster_summaries", False),
        "profiles_count": ("actor_profiles", False),
        "closing_words_fix": ("relationships", False),
        "deployments_end": ("temporal_states", False),
        "parked_are_looked_at": ("waiting_for_you", False),
        "dead_letters_are_looked_at": ("waiting_for_you", False),
        "stuck_are_looked_at": ("waiting_for_you", False),
        "vector_index_agrees": ("vector_index", False),
        "nothing_waits_for_long": ("pipeline_health", False),
        "webhooks_are_queryable_soon": ("pipeline_health", False),
        "event_log_grows_slowly": ("pipeline_health", False),
        "disk_lasts": ("pipeline_health", False),
        "write_ahead_log_is_small": ("pipeline_health", False),
    }


def test_a_job_of_its_own_checks_shares_over_all_data() -> None:
    shares = {check.node_def.name for check in (*liveness.CHECKS, *HOURLY)}
    for name in ("memory", "consolidation", "profiles", "summaries"):
        assert shares.isdisjoint(node.name for node in repository().get_job(name).nodes), name
    assert shares == {node.name for node in repository().get_job("liveness").nodes}


def test_an_unused_resource_is_refused() -> None:
    with pytest.raises(ValueError, match="no such resource: databse"):
        build_definitions(databse=object())
