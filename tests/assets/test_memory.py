"""Runs of the main job on a real memory and a real Dagster instance."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg
import pytest

from lightfast_pipelines.assets import _turn
from lightfast_pipelines.assets._days import UniqueTimestamps
from lightfast_pipelines.assets.capture import TABLES
from lightfast_pipelines.definitions import build_definitions
from lightfast_pipelines.inbox.waiting import waiting_for_you
from lightfast_pipelines.partitions import range_tags
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.locks import job_lock, job_locks
from tests import poison
from tests.arriving import arrive, count, link
from tests.depth import size
from tests.programs import Programs

FIRST = date(2024, 5, 1)
PENDING = {"lightfast/pending": "backlog"}


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as made:
        yield made


def run(
    instance: dg.DagsterInstance, database: Database, *days: date, **tags: str
) -> dg.ExecuteInProcessResult:
    """A run of the job `memory` over the days from the first to the last of these."""
    job = build_definitions(database=database).resolve_job_def("memory")
    return job.execute_in_process(
        instance=instance, tags={**range_tags(days), **tags}, raise_on_error=False
    )


def materialized(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, dict[str, Any]]:
    """Partition -> metadata of the materializations of an asset in a run."""
    return {
        str(event.partition): {
            key: value.value for key, value in event.materialization.metadata.items()
        }
        for event in result.get_asset_materialization_events()
        if event.asset_key == dg.AssetKey(asset)
    }


def rows(conn: Connection) -> list[tuple[Any, ...]]:
    """What the memory holds, without serial numbers and times of capture."""
    observations = conn.execute(
        """
        SELECT external_id, title, occurred_at, category, significance_score, topics
        FROM lightfast.observations ORDER BY external_id
        """
    ).fetchall()
    conn.rollback()
    return observations


def test_a_range_run_materializes_each_day_with_its_own_counts(
    instance: dg.DagsterInstance, database: Database, conn: Connection
) -> None:
    link(conn)
    third = FIRST + timedelta(days=2)
    arrive(conn, [FIRST, third, third])
    result = run(instance, database, FIRST, third, **PENDING)
    assert result.success
    for table in TABLES:
        days = materialized(result, table)
        assert {day: m["deliveries"] for day, m in days.items()} == {
            "2024-05-01": 1,
            "2024-05-02": 0,
            "2024-05-03": 2,
        }
    observations = materialized(result, "observations")
    assert observations["2024-05-01"]["dagster/partition_row_count"] == 1
    assert observations["2024-05-02"]["dagster/partition_row_count"] == 0
    assert observations["2024-05-03"]["dagster/row_count"] == 3
    assert {d: m["observations"] for d, m in materialized(result, "embeddings").items()} == {
        "2024-05-01": 1,
        "2024-05-02": 0,
        "2024-05-03": 2,
    }
    assert set(materialized(result, "clusters")) == set(observations)
    checks = {e.check_name: e.passed for e in result.get_asset_check_evaluations()}
    assert checks == dict.fromkeys(
        [
            "one_current_state",
        ],
        True,
    )


def test_every_event_of_a_range_has_a_timestamp_of_its_own(
    instance: dg.DagsterInstance, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The UI lists an asset's events by their millisecond."""
    # As `up` has it: one by one they are further apart already.
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "200")
    result = run(instance, database, FIRST, FIRST + timedelta(days=9), **PENDING)
    for asset in (*TABLES, "embeddings", "clusters"):
        moments = {
            round(record.timestamp * 1000)
            for record in instance.fetch_materializations(dg.AssetKey(asset), limit=100).records
            if record.run_id == result.run_id
        }
        assert len(moments) == 10, asset


@pytest.mark.parametrize("created", [1796011429.3425, 1796011429.3435, 1796011429.3429999])
def test_timestamps_differ_whether_they_are_rounded_or_truncated_to_milliseconds(
    created: float,
) -> None:
    timestamps = UniqueTimestamps()
    taken = [timestamps.take(created) for _ in range(10)]
    assert len({round(moment * 1000) for moment in taken}) == 10
    assert len({int(moment * 1000) for moment in taken}) == 10


def test_the_page_of_a_day_shows_that_days_rows_with_the_title_first(
    instance: dg.DagsterInstance, database: Database, conn: Connection
) -> None:
    link(conn)
    arrive(conn, [FIRST, FIRST + timedelta(days=1)], each=2)
    result = run(instance, database, FIRST, FIRST + timedelta(days=1), **PENDING)
    for day, metadata in materialized(result, "observations").items():
        rows = metadata["preview"].records
        assert len(rows) == 2
        assert next(iter(rows[0].data)) == "title"
        assert all(row.data["occurred_at"].startswith(day) for row in rows)
    clusters = materialized(result, "clusters")[str(FIRST)]["preview"].records
    # A label is the title of a member: masked like one.
    assert [row.data["label"] for row in clusters] == ["Chan… (8 characters)"] * 2


def test_dagster_shows_masked_titles_and_no_bodies(
    instance: dg.DagsterInstance, database: Database, conn: Connection
) -> None:
    link(conn)
    arrive(conn, [FIRST])
    result = run(instance, database, FIRST, **PENDING)
    shown = "\n".join(str(event) for event in result.all_events)
    assert "Change 1" not in shown
    assert "will be bought" not in shown
    assert "characters)" in shown


def test_a_run_without_rows_materializes_so_that_later_stages_run(
    instance: dg.DagsterInstance, database: Database
) -> None:
    result = run(instance, database, FIRST, **PENDING)
    assert result.success
    assert {event.asset_key for event in result.get_asset_materialization_events()} == {
        dg.AssetKey(name) for name in (*TABLES, "embeddings", "clusters")
    }


def test_materializing_a_day_by_hand_reprocesses_it_to_the_same_rows(
    instance: dg.DagsterInstance, database: Database, conn: Connection
) -> None:
    link(conn)
    arrive(conn, [FIRST, FIRST, FIRST + timedelta(days=1)])
    assert run(instance, database, FIRST, FIRST + timedelta(days=1), **PENDING).success
    before = rows(conn)
    result = run(instance, database, FIRST)
    assert result.success
    assert materialized(result, "observations")["2024-05-01"]["deliveries"] == 2
    assert rows(conn) == before
    assert count(conn, "raw_queue") == 0


def test_a_sensors_run_takes_only_waiting_deliveries(
    instance: dg.DagsterInstance, database: Database, conn: Connection
) -> None:
    link(conn)
    arrive(conn, [FIRST])
    run(instance, database, FIRST, **PENDING)
    arrive(conn, [FIRST], first=50)
    result = run(instance, database, FIRST, **PENDING)
    assert materialized(result, "observations")["2024-05-01"]["deliveries"] == 2
    messages = [entry.user_message for entry in instance.all_logs(result.run_id)]
    assert any(line.startswith("1 deliveries in ") for line in messages)


def test_a_sensors_run_that_does_not_get_the_lock_succeeds_without_materializing(
    instance: dg.DagsterInstance,
    database: Database,
    conn: Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_turn, "CAPTURE_PATIENCE_SECONDS", 1)
    link(conn)
    arrive(conn, [FIRST])
    with database.connect() as other, job_lock(other, "capture", wait=False):
        result = run(instance, database, FIRST, **PENDING)
    assert result.success
    assert not result.get_asset_materialization_events()
    assert count(conn, "raw_queue") == 1


def test_a_run_by_hand_waits_for_the_lock(
    instance: dg.DagsterInstance, database: Database, conn: Connection
) -> None:
    link(conn)
    arrive(conn, [FIRST])
    results: list[dg.ExecuteInProcessResult] = []
    with database.connect() as watcher, database.connect() as holder:
        with job_lock(holder, "capture", wait=False):
            by_hand = threading.Thread(
                target=lambda: results.append(run(instance, database, FIRST))
            )
            by_hand.start()
            while not job_locks(watcher, ["capture"])[1]:
                watcher.rollback()
            assert not results
        by_hand.join(timeout=60)
    assert results[0].success
    assert materialized(results[0], "observations")["2024-05-01"]["deliveries"] == 1


def test_two_current_states_of_a_thing_stop_the_later_stages(
    instance: dg.DagsterInstance,
    database: Database,
    conn: Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    link(conn)
    arrive(conn, [FIRST])
    with database.connect("migrator") as owner:
        # A second belief that the fold would have to have left behind.
        owner.execute(
            """
            CREATE FUNCTION lightfast.twice() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
              IF NEW.is_current THEN
                INSERT INTO lightfast.temporal_states (workspace_id, entity_type, entity_id,
                  state_type, state_value, valid_from, is_current, recorded_at)
                VALUES (NEW.workspace_id, NEW.entity_type, NEW.entity_id, NEW.state_type,
                  'merged', NEW.valid_from, false, NEW.recorded_at);
              END IF;
              RETURN NULL;
            END $$
            """
        )
        owner.execute(
            "CREATE TRIGGER twice AFTER INSERT ON lightfast.temporal_states "
            "FOR EACH ROW EXECUTE FUNCTION lightfast.twice()"
        )
    result = run(instance, database, FIRST, **PENDING)
    assert not result.success
    assert materialized(result, "observations")
    assert not materialized(result, "embeddings")


def test_a_run_succeeds_although_one_tenants_payloads_cannot_be_captured(
    instance: dg.DagsterInstance,
    database: Database,
    conn: Connection,
) -> None:
    poison.tenants(conn)
    poison.arrive(conn, list(poison.KINDS), poison=size(1, 5), every=size(4, 100))
    poison.refuse(database)
    while count(conn, "raw_queue"):
        result = run(instance, database, poison.DAY, **PENDING)
        assert result.success
    innocent = size(1, 5) * len(poison.KINDS) * (size(4, 100) - 1)
    assert count(conn, "observations") == innocent
    dead = [letter.cause for letter in waiting_for_you(conn, now=datetime.now(UTC)).dead]
    assert all(any(reason in cause for cause in dead) for _, reason in poison.KINDS.values())
    assert materialized(result, "embeddings")


# A run of a daemon that knows nothing of the other's.
RUN = """
import sys
from datetime import date
import dagster as dg
from lightfast_pipelines.definitions import build_definitions
from lightfast_pipelines.partitions import range_tags
from lightfast_pipelines.store.database import Database
job = build_definitions(database=Database(address=sys.argv[1])).resolve_job_def("memory")
tags = {**range_tags([date(2024, 5, 1)]), "lightfast/pending": "backlog"}
with dg.instance_for_test() as instance:
    sys.exit(0 if job.execute_in_process(instance=instance, tags=tags).success else 1)
"""


def test_the_same_run_of_two_daemons_at_once_does_no_harm(
    database: Database, conn: Connection, programs: Programs
) -> None:
    link(conn)
    arrive(conn, [FIRST], each=40)
    command = [sys.executable, "-c", RUN, database.url("migrator")]
    daemons = [
        programs.start(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(2)
    ]
    assert [daemon.wait(timeout=240) for daemon in daemons] == [0, 0]
    outcomes = conn.execute("SELECT status, count(*) FROM lightfast.outcomes GROUP BY status")
    assert outcomes.fetchall() == [("delivered", 40)]
    assert count(conn, "raw_queue") == 0
    assert count(conn, "observations") == count(conn, "cluster_members") == 40
