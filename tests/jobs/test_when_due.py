"""Schedules and the runs they ask for, beside others that hold the stages' locks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

import dagster as dg
import pytest

from lightfast_pipelines.assets import _turn
from lightfast_pipelines.capture.queue.batches import capture
from lightfast_pipelines.definitions import build_definitions
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
from lightfast_pipelines.jobs.consolidation import consolidation_when_due
from lightfast_pipelines.partitions import range_tags, today
from lightfast_pipelines.resources.database import presence_of_job
from lightfast_pipelines.sensors.new_payloads import new_payloads
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.locks import job_lock, presence
from tests.arriving import arrive, count, link

BY_SCHEDULE = {"dagster/schedule_name": "a_schedule"}


@pytest.fixture(scope="module")
def shared_instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as made:
        yield made


@pytest.fixture
def instance(shared_instance: dg.DagsterInstance) -> Iterator[dg.DagsterInstance]:
    yield shared_instance
    for run in shared_instance.get_runs():
        shared_instance.delete_run(run.run_id)


@pytest.fixture
def changed(conn: Connection) -> Connection:
    """A memory whose workspace is due."""
    link(conn)
    arrive(conn, [date(2024, 5, 1)])
    capture(conn, days=None, max_rows=10, batch_rows=10, now=datetime.now(UTC))
    return conn


def tick(instance: dg.DagsterInstance, database: Database) -> dg.RunRequest | dg.SkipReason:
    context = dg.build_schedule_context(instance=instance, resources={"database": database})
    tick_result = consolidation_when_due(context)
    assert isinstance(tick_result, dg.RunRequest | dg.SkipReason)
    return tick_result


@pytest.mark.usefixtures("changed")
def test_a_schedule_does_not_ask_while_a_run_of_its_job_is_alive(
    instance: dg.DagsterInstance, database: Database
) -> None:
    with database.connect() as other, presence(other, presence_of_job("consolidation")):
        assert tick(instance, database) == dg.SkipReason("a run of consolidation is at work")
    assert isinstance(tick(instance, database), dg.RunRequest)


@pytest.mark.usefixtures("changed")
@pytest.mark.parametrize(
    ("status", "asks"),
    [
        (dg.DagsterRunStatus.NOT_STARTED, False),
        (dg.DagsterRunStatus.STARTING, False),
        # Postgres knows of no such run: its process is gone, whatever Dagster's record says.
        (dg.DagsterRunStatus.STARTED, True),
    ],
)
def test_a_schedule_does_not_ask_while_a_run_of_its_job_has_not_begun(
    instance: dg.DagsterInstance, database: Database, status: dg.DagsterRunStatus, *, asks: bool
) -> None:
    @dg.job(name="consolidation")
    def consolidation() -> None: ...

    instance.create_run_for_job(consolidation, status=status)
    assert isinstance(tick(instance, database), dg.RunRequest) is asks


@pytest.mark.usefixtures("changed")
@pytest.mark.parametrize(
    ("job", "lock"),
    [("consolidation", "consolidation"), ("profiles", "profiles"), ("summaries", "summaries")],
)
def test_a_scheduled_run_that_does_not_get_the_lock_succeeds_and_says_so(
    instance: dg.DagsterInstance,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    job: str,
    lock: str,
) -> None:
    monkeypatch.setattr(_turn, "SCHEDULE_PATIENCE_SECONDS", 1)
    definition = build_definitions(database=database).resolve_job_def(job)
    with database.connect() as other, job_lock(other, lock, wait=False):
        result = definition.execute_in_process(instance=instance, tags=BY_SCHEDULE)
    assert result.success
    assert not result.get_asset_materialization_events()
    messages = [entry.user_message for entry in instance.all_logs(result.run_id)]
    assert any("pending work is left to the next run" in line for line in messages)
    assert definition.execute_in_process(instance=instance).get_asset_materialization_events()


def test_todays_deliveries_are_captured_while_another_run_holds_clusters_and_others_wait(
    instance: dg.DagsterInstance,
    database: Database,
    changed: Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_turn, "SENSOR_PATIENCE_SECONDS", 1)
    arrive(changed, [today()], first=50)
    definitions = build_definitions(database=database)
    with (
        database.connect() as deciding,
        job_lock(deciding, "clusters", wait=False),
        database.connect() as by_hand,
        presence(by_hand, "by hand"),
    ):
        ticked = new_payloads(
            dg.build_sensor_context(
                instance=instance,
                resources={"database": database, "embedder": WordLlamaEmbedder()},
            )
        )
        assert isinstance(ticked, dg.SensorResult)
        (request,) = [
            r for r in ticked.run_requests or [] if r.tags["lightfast/pending"] == "recent"
        ]
        assert request.tags.items() >= range_tags([today()]).items()
        result = definitions.resolve_job_def("memory").execute_in_process(
            instance=instance, tags=dict(request.tags)
        )
    assert result.success
    assert count(changed, "raw_queue") == 0
    materialized = {event.asset_key for event in result.get_asset_materialization_events()}
    assert dg.AssetKey("embeddings") in materialized
    assert dg.AssetKey("clusters") not in materialized
