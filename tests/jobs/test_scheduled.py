"""Profiles, summaries and the shares: asked for when due, made by their jobs, checked by another."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest

from lightfast_pipelines.capture.queue.batches import capture
from lightfast_pipelines.clustering.consolidation import consolidate
from lightfast_pipelines.definitions import build_definitions
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
from lightfast_pipelines.jobs.profiles import profiles_when_due
from lightfast_pipelines.jobs.summaries import summaries_when_due
from lightfast_pipelines.store.database import Connection, Database
from tests.arriving import arrive, count, link

DAYS = [date(2024, 5, 1) + timedelta(days=number) for number in range(2)]


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as made:
        yield made


def run(instance: dg.DagsterInstance, database: Database, job: str) -> dg.ExecuteInProcessResult:
    definitions = build_definitions(database=database)
    return definitions.resolve_job_def(job).execute_in_process(instance=instance)


def remember(conn: Connection) -> None:
    """A few pull requests, captured, with actors and clusters decided."""
    link(conn)
    arrive(conn, DAYS, each=5)
    now = datetime.now(UTC)
    capture(conn, days=None, max_rows=100, batch_rows=100, now=now)
    consolidate(conn, WordLlamaEmbedder(), now=now)


def test_the_schedule_asks_for_profiles_until_nothing_has_changed(
    instance: dg.DagsterInstance, database: Database, conn: Connection
) -> None:
    context = dg.build_schedule_context(instance=instance, resources={"database": database})
    assert isinstance(profiles_when_due(context), dg.SkipReason)
    remember(conn)
    assert isinstance(profiles_when_due(context), dg.RunRequest)
    result = run(instance, database, "profiles")
    assert result.success
    (event,) = result.get_asset_materialization_events()
    metadata = event.materialization.metadata
    assert metadata["dagster/row_count"].value == count(conn, "actor_profiles") == 1
    assert metadata["written_of_run"].value == 1
    assert isinstance(profiles_when_due(context), dg.SkipReason)


def test_the_schedule_asks_for_summaries_once_after_consolidation(
    instance: dg.DagsterInstance, database: Database, conn: Connection
) -> None:
    context = dg.build_schedule_context(instance=instance, resources={"database": database})
    assert isinstance(summaries_when_due(context), dg.SkipReason)
    remember(conn)
    assert isinstance(summaries_when_due(context), dg.RunRequest)
    result = run(instance, database, "summaries")
    assert result.success
    (event,) = result.get_asset_materialization_events()
    metadata = event.materialization.metadata
    assert metadata["summaries"].value == metadata["clusters_of_run"].value
    assert "Change 1" not in "\n".join(str(each) for each in result.all_events)
    assert isinstance(summaries_when_due(context), dg.SkipReason)


def test_the_shares_are_checked_without_any_other_job_having_run(
    instance: dg.DagsterInstance, database: Database, conn: Connection
) -> None:
    remember(conn)
    # As if it had stood there since yesterday, with no job for profiles scheduled.
    conn.execute(
        "UPDATE lightfast.observation_facts SET captured_at = captured_at - interval '1 day'"
    )
    conn.commit()

    def checks() -> dict[str, bool]:
        evaluations = run(instance, database, "liveness").get_asset_check_evaluations()
        return {each.check_name: each.passed for each in evaluations}

    assert checks() == {
        "clusters_have_a_summary": True,
        "profiles_count": False,
        "closing_words_fix": True,
        "deployments_end": True,
        "delivered_is_observed": True,
        "observation_has_payload": True,
        "refused_says_why": True,
        "no_stage_behind": True,
        "sentences_supported": True,
    }
    run(instance, database, "profiles")
    assert checks()["profiles_count"]
