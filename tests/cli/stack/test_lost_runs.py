"""Runs of a stack that is gone are ended; other runs are not touched."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import dagster as dg
import psycopg
import pytest

from lightfast_pipelines.cli.stack.lost_runs import WHY, end_lost_runs
from lightfast_pipelines.resources.database import PENDING_TAG
from lightfast_pipelines.store.database import Database
from lightfast_pipelines.store.locks import job_lock

OURS = "code-0a1b2c3d.sock"
STARTED = dg.DagsterRunStatus.STARTED
STARTING = dg.DagsterRunStatus.STARTING
FAILURE = dg.DagsterRunStatus.FAILURE


@dg.op
def nothing() -> None:
    """Does nothing."""


@dg.job
def idle() -> None:
    nothing()


def launched_by(socket: str) -> dict[str, str]:
    return {".dagster/grpc_info": json.dumps({"host": "localhost", "socket": socket})}


def run(
    instance: dg.DagsterInstance, status: dg.DagsterRunStatus, tags: Mapping[str, str] | None = None
) -> str:
    return instance.create_run_for_job(idle, status=status, tags=tags).run_id


def status_of(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


@pytest.fixture
def _no_runs(instance: dg.DagsterInstance) -> Iterator[None]:
    yield
    for run in instance.get_runs():
        instance.delete_run(run.run_id)


@pytest.mark.usefixtures("_no_runs")
def test_runs_of_a_code_server_that_is_gone_are_ended_by_their_states(
    instance: dg.DagsterInstance, database: Database
) -> None:
    ours = launched_by(f"/home/dagster/{OURS}")
    started, starting = run(instance, STARTED, ours), run(instance, STARTING, ours)
    canceling = run(instance, dg.DagsterRunStatus.CANCELING, ours)
    not_begun = run(instance, dg.DagsterRunStatus.NOT_STARTED, ours)
    ended = end_lost_runs(instance, database, OURS, alone=False)
    assert sorted(ended) == sorted([started, starting, canceling])
    assert status_of(instance, started) is FAILURE
    assert status_of(instance, starting) is FAILURE
    assert status_of(instance, canceling) is dg.DagsterRunStatus.CANCELED
    assert status_of(instance, not_begun) is dg.DagsterRunStatus.NOT_STARTED
    assert any(WHY in (entry.message or "") for entry in instance.all_logs(started))
    assert end_lost_runs(instance, database, OURS, alone=False) == []


@pytest.mark.usefixtures("_no_runs")
def test_runs_of_another_home_in_the_same_storage_continue(
    instance: dg.DagsterInstance, database: Database
) -> None:
    others = [
        run(instance, STARTED, launched_by("/home/dagster/code-ffffffff.sock")),
        run(instance, STARTED, {".dagster/grpc_info": json.dumps({"host": "h", "port": 4266})}),
        run(instance, STARTED),
        run(instance, STARTING),
    ]
    assert end_lost_runs(instance, database, OURS, alone=False) == []
    assert status_of(instance, others[0]) is STARTED


@pytest.mark.usefixtures("_no_runs")
def test_in_a_storage_of_its_own_an_unlaunched_run_is_lost_too(
    instance: dg.DagsterInstance, database: Database
) -> None:
    starting = run(instance, STARTING)
    earlier = run(instance, STARTED, launched_by("/home/dagster/code.sock"))
    by_a_program = run(instance, STARTED)
    assert sorted(end_lost_runs(instance, database, OURS, alone=True)) == sorted(
        [starting, earlier]
    )
    assert status_of(instance, by_a_program) is STARTED


@pytest.mark.usefixtures("_no_runs")
def test_only_runs_that_a_person_requested_are_retried(
    instance: dg.DagsterInstance, database: Database
) -> None:
    ours = launched_by(OURS)
    by_sensor = run(instance, STARTED, {**ours, PENDING_TAG: "recent"})
    by_hand = run(instance, STARTED, ours)
    end_lost_runs(instance, database, OURS, alone=False)
    retries = {run.run_id: run.tags.get("dagster/will_retry") for run in instance.get_runs()}
    assert retries == {by_sensor: "false", by_hand: "true"}


@pytest.mark.usefixtures("_no_runs")
def test_sessions_of_a_lost_run_end_and_release_their_locks(
    instance: dg.DagsterInstance, database: Database
) -> None:
    lost = run(instance, STARTED, launched_by(OURS))
    database.run_id = lost
    holder = database.connect(application_name="lightfast clusters")
    database.run_id = None
    with (
        database.connect(application_name="lightfast clusters") as other,
        job_lock(holder, "clusters", wait=False) as got,
    ):
        assert got
        end_lost_runs(instance, database, OURS, alone=False)
        with pytest.raises(psycopg.OperationalError):
            holder.execute("SELECT 1")
        with job_lock(other, "clusters", wait=True) as taken:
            assert taken
