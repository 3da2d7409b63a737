"""The nightly job on a real Dagster instance."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from lightfast_pipelines.definitions import build_definitions
from lightfast_pipelines.jobs.pruning import prune_runs, prune_ticks
from lightfast_pipelines.partitions import DAILY
from lightfast_pipelines.store.database import Database


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as made:
        yield made


@dg.asset(partitions_def=DAILY)
def seen() -> None:
    """Nothing."""


@dg.job
def nothing() -> None: ...


def soon() -> datetime:
    return datetime.now(UTC) + timedelta(hours=1)


def test_old_runs_are_deleted_except_the_last_one_of_each_day(instance: dg.DagsterInstance) -> None:
    for day in ("2024-05-01", "2024-05-01", "2024-05-02"):
        dg.materialize([seen], instance=instance, partition_key=day)
    nothing.execute_in_process(instance=instance)
    pruned = prune_runs(instance, before=soon(), at_most=100)
    assert (pruned.deleted, pruned.kept) == (2, 2)
    assert instance.get_materialized_partitions(dg.AssetKey("seen")) == {"2024-05-01", "2024-05-02"}


def test_recent_runs_and_runs_under_way_are_kept(instance: dg.DagsterInstance) -> None:
    nothing.execute_in_process(instance=instance)
    assert (
        prune_runs(instance, before=datetime.now(UTC) - timedelta(days=1), at_most=9).deleted == 0
    )
    instance.create_run_for_job(nothing, status=dg.DagsterRunStatus.STARTED)
    assert prune_runs(instance, before=soon(), at_most=9).deleted == 1
    assert instance.get_runs_count() == 1


def test_one_night_deletes_at_most_its_limit(instance: dg.DagsterInstance) -> None:
    for _ in range(3):
        nothing.execute_in_process(instance=instance)
    assert prune_runs(instance, before=soon(), at_most=2).deleted == 2
    assert instance.get_runs_count() == 1


def test_the_job_makes_partitions_and_prunes(
    instance: dg.DagsterInstance, database: Database
) -> None:
    job = build_definitions(database=database).resolve_job_def("upkeep")
    assert job.execute_in_process(instance=instance).success
    assert prune_ticks(instance, before=soon()) == 0
    with database.connect() as conn:
        rows = conn.execute(
            "SELECT count(*) FROM pg_class WHERE relname ~ '^raw_bodies_[0-9]{4}_[0-9]{2}$'"
        ).fetchone()
    assert rows == (4,)


def test_without_the_owners_login_the_job_leaves_indexes_alone_and_succeeds(
    instance: dg.DagsterInstance, database: Database
) -> None:
    own = Database(own={"pipeline": database.url("pipeline")})
    job = build_definitions(database=own).resolve_job_def("upkeep")
    result = job.execute_in_process(instance=instance)
    assert result.success
    messages = [entry.user_message for entry in instance.all_logs(result.run_id)]
    assert any("run `lightfast db index-vectors`" in message for message in messages)
