"""What Dagster never deletes is deleted, and what the catalog shows stays: on Dagster's own Postgres storage."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import psycopg
import pytest

from lightfast_pipelines.embedded_postgres import Lease
from lightfast_pipelines.jobs.pruning import prune_runs
from lightfast_pipelines.store.dagster_storage import (
    Deleted,
    dagster_storage,
    delete_old,
    load_of_dagster,
)
from lightfast_pipelines.store.database import Connection, Database
from tests.dagster_instances import dagster_instance


@pytest.fixture
def storage(postgres: Lease, tmp_path: Path) -> Iterator[tuple[dg.DagsterInstance, Connection]]:
    """An instance with a database of its own, and a connection to its tables."""
    name = "dagster_pruned"
    with psycopg.connect(postgres.url("postgres", "lightfast_migrator"), autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
    url = postgres.url(name, "lightfast_migrator")
    database = Database(lease=postgres, dagster=url)
    try:
        with (
            dagster_instance(url, tmp_path) as instance,
            dagster_storage(database) as conn,
        ):
            assert conn is not None
            yield instance, conn
    finally:
        with psycopg.connect(
            postgres.url("postgres", "lightfast_migrator"), autocommit=True
        ) as server:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")


days = dg.StaticPartitionsDefinition(["monday", "tuesday"])


@dg.asset(partitions_def=days)
def seen() -> None:
    """Nothing."""


@dg.asset_check(asset=seen)
def seen_well() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


def soon() -> datetime:
    return datetime.now(UTC) + timedelta(hours=1)


def run(instance: dg.DagsterInstance, day: str) -> str:
    result = dg.materialize([seen, seen_well], instance=instance, partition_key=day)
    return result.run_id


def test_events_of_no_run_go_once_a_later_one_says_the_same(
    storage: tuple[dg.DagsterInstance, Connection],
) -> None:
    instance, conn = storage
    for day in ("monday", "monday", "tuesday", "monday"):
        instance.report_runless_asset_event(
            dg.AssetMaterialization("seen", partition=day, tags={"by": "hand"})
        )
    assert delete_old(conn, datetime.now(UTC) - timedelta(hours=1), at_most=99) == Deleted(0, 0, 0)
    assert delete_old(conn, soon(), at_most=99, page=1) == Deleted(2, 0, 0)
    assert instance.get_materialized_partitions(dg.AssetKey("seen")) == {"monday", "tuesday"}
    row = conn.execute(
        "SELECT count(*) FROM asset_event_tags t"
        " WHERE NOT EXISTS (SELECT FROM event_logs e WHERE e.id = t.event_id)"
    ).fetchone()
    assert row == (0,)


def test_a_run_that_stays_keeps_its_materialization_and_loses_its_log(
    storage: tuple[dg.DagsterInstance, Connection],
) -> None:
    instance, conn = storage
    run_id = run(instance, "monday")
    deleted = delete_old(conn, soon(), at_most=1_000)
    assert deleted.log_lines > 5
    assert instance.get_materialized_partitions(dg.AssetKey("seen")) == {"monday"}
    kinds = {
        entry.dagster_event.event_type_value
        for entry in instance.all_logs(run_id)
        if entry.dagster_event
    }
    assert kinds == {"ASSET_MATERIALIZATION", "ASSET_CHECK_EVALUATION"}
    assert instance.get_run_by_id(run_id)


def test_the_log_of_a_run_under_way_stays(
    storage: tuple[dg.DagsterInstance, Connection],
) -> None:
    instance, conn = storage
    run_id = run(instance, "monday")
    conn.execute("UPDATE runs SET status = 'STARTED' WHERE run_id = %s", (run_id,))
    conn.commit()
    assert delete_old(conn, soon(), at_most=99) == Deleted(0, 0, 0)


def test_new_events_stay_though_the_clock_was_wrong_after_them(
    storage: tuple[dg.DagsterInstance, Connection],
) -> None:
    """Then times do not grow with ids, and the first new event cannot be found by halving."""
    instance, conn = storage
    right = run(instance, "monday")
    logged = len(instance.all_logs(right))
    for _ in range(3):
        wrong = run(instance, "tuesday")
        conn.execute(
            "UPDATE event_logs SET timestamp = timestamp - interval '2 days' WHERE run_id = %s",
            (wrong,),
        )
    conn.commit()
    deleted = delete_old(conn, datetime.now(UTC) - timedelta(days=1), at_most=1_000)
    assert deleted.log_lines > 5
    assert len(instance.all_logs(right)) == logged


def test_results_of_checks_go_with_their_run_but_for_the_latest(
    storage: tuple[dg.DagsterInstance, Connection],
) -> None:
    instance, conn = storage
    for _ in range(3):
        run(instance, "monday")
    prune_runs(instance, before=soon(), at_most=99)
    assert delete_old(conn, soon(), at_most=99).check_results == 2
    row = conn.execute("SELECT count(*) FROM asset_check_executions").fetchone()
    assert row == (1,)
    logs = Path(instance.storage_directory())
    assert len(list(logs.glob("*/compute_logs"))) <= 1, "the output of deleted runs goes too"


def test_the_limit_of_a_night_holds(storage: tuple[dg.DagsterInstance, Connection]) -> None:
    instance, conn = storage
    for _ in range(5):
        instance.report_runless_asset_event(dg.AssetMaterialization("seen"))
    assert delete_old(conn, soon(), at_most=3, page=2).events == 3
    assert delete_old(conn, soon(), at_most=3, page=2).events == 1


def test_a_database_without_dagsters_tables_is_left_alone(
    postgres: Lease, database: Database
) -> None:
    # Not the server's database `dagster`, in which another test may have made the tables.
    without = Database(lease=postgres, dagster=database.url("pipeline"))
    with dagster_storage(without) as conn:
        assert conn is None


def test_the_load_counts_the_runs_and_events_of_the_last_day(
    storage: tuple[dg.DagsterInstance, Connection],
) -> None:
    instance, conn = storage
    assert load_of_dagster(conn, datetime.now(UTC)).runs_of_day == 0
    for _ in range(3):
        run(instance, "monday")
    events = conn.execute("SELECT count(*), sum(pg_column_size(e.*)) FROM event_logs e").fetchone()
    assert events is not None
    load = load_of_dagster(conn, datetime.now(UTC))
    assert load.runs_of_day == 3
    assert round(load.event_bytes_of_day) == events[1]
    assert load.size > events[1]
    conn.execute(
        "UPDATE runs SET create_timestamp = create_timestamp - interval '2 days' WHERE id < 3"
    )
    conn.execute("UPDATE event_logs SET timestamp = timestamp - interval '2 days' WHERE id < 10")
    conn.commit()
    later = load_of_dagster(conn, datetime.now(UTC))
    assert later.runs_of_day == 1
    assert later.event_bytes_of_day == pytest.approx(load.event_bytes_of_day * (1 - 9 / events[0]))
