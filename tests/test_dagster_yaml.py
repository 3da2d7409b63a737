"""dagster.yaml with Dagster itself, on a real Postgres."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest

from lightfast_pipelines.embedded_postgres import Lease
from lightfast_pipelines.jobs.when_due import BACKFILL_LANE, SCHEDULED_LANE
from tests.dagster_instances import dagster_instance


@pytest.fixture(scope="module")
def instance(
    postgres: Lease, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dg.DagsterInstance]:
    url = postgres.url("dagster", "lightfast_migrator")
    with dagster_instance(url, tmp_path_factory.mktemp("dagster")) as made:
        yield made


def test_a_written_event_can_be_read(instance: dg.DagsterInstance) -> None:
    """With psycopg 3 the instance loads and reads, and fails only here."""
    instance.report_runless_asset_event(dg.AssetMaterialization("written"))
    assert instance.get_latest_materialization_event(dg.AssetKey("written"))


def test_a_run_is_stored(instance: dg.DagsterInstance) -> None:
    @dg.asset
    def counted() -> None:
        """Nothing."""

    result = dg.materialize([counted], instance=instance)
    assert result.success
    stored = instance.get_run_by_id(result.run_id)
    assert stored
    assert stored.status is dg.DagsterRunStatus.SUCCESS


def test_a_killed_run_gives_back_its_slot(instance: dg.DagsterInstance) -> None:
    assert instance.run_monitoring_enabled
    assert instance.get_settings("run_monitoring")["free_slots_after_run_end_seconds"]


def test_few_runs_run_at_once_and_do_not_wait_long(instance: dg.DagsterInstance) -> None:
    queue = instance.get_concurrency_config().run_queue_config
    assert queue
    assert queue.max_concurrent_runs == 5
    coordinator: Any = instance.run_coordinator
    assert coordinator.dequeue_interval_seconds == 1


def test_scheduled_runs_and_backfills_leave_slots_for_capture(
    instance: dg.DagsterInstance,
) -> None:
    queue = instance.get_concurrency_config().run_queue_config
    assert queue
    limits = {limit["value"]: limit["limit"] for limit in queue.tag_concurrency_limits}
    assert set(limits) == {SCHEDULED_LANE, BACKFILL_LANE}
    assert queue.max_concurrent_runs - sum(limits.values()) >= 2


def test_the_instance_retries_only_dead_workers(instance: dg.DagsterInstance) -> None:
    assert instance.run_retries_enabled
    assert not instance.run_retries_retry_on_asset_or_op_failure


def test_no_telemetry_is_sent(instance: dg.DagsterInstance) -> None:
    assert not instance.telemetry_enabled
