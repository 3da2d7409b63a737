"""A person picks days in Dagster, and their history is read: runs on a real Dagster instance."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import dagster as dg
import pytest

from lightfast_pipelines.backfill import run as backfills
from lightfast_pipelines.definitions import build_definitions
from lightfast_pipelines.partitions import range_tags
from lightfast_pipelines.resources.database import presence_of_run
from lightfast_pipelines.store.backfills import list_backfills
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.sources import Source
from tests.backfill.conftest import PlainApis, source
from tests.backfill.plain import FIRST, PlainApi, PlainProviderApi
from tests.servers.serving import Fault, Served, serve

__all__ = ["source"]


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as made:
        yield made


@pytest.fixture
def server() -> Iterator[Served]:
    with serve(PlainApi(250)) as served:
        yield served


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfills, "discover_apis", lambda: {"github": PlainProviderApi()})


def run(
    instance: dg.DagsterInstance,
    database: Database,
    server: Served,
    *days: date,
    **config: Any,
) -> dg.ExecuteInProcessResult:
    apis = PlainApis(database, server.url)
    job = build_definitions(database=database, apis=apis).resolve_job_def("backfill")
    return job.execute_in_process(
        instance=instance,
        tags=range_tags(days),
        run_config={"ops": {"provider_history": {"config": config}}},
        raise_on_error=False,
    )


DAYS = (FIRST.date(), FIRST.date() + timedelta(days=6))


def test_a_range_of_days_is_read_in_one_run_and_each_record_stands_on_its_day(
    instance: dg.DagsterInstance,
    database: Database,
    conn: Connection,
    source: Source,
    server: Served,
) -> None:
    result = run(instance, database, server, *DAYS)
    assert result.success
    days = conn.execute(
        "SELECT partition_date, count(*) FROM lightfast.raw_payloads GROUP BY 1 ORDER BY 1"
    ).fetchall()
    assert [count for _, count in days] == [24] * 7
    events = result.get_asset_materialization_events()
    assert {event.partition for event in events} == {str(day) for day, _ in days}
    metadata = events[0].materialization.metadata
    assert (metadata["records"].value, metadata["expected_requests"].value) == (168, 4)


def test_the_run_is_named_in_the_backfills_row_and_the_activity(
    instance: dg.DagsterInstance,
    database: Database,
    conn: Connection,
    source: Source,
    server: Served,
) -> None:
    result = run(instance, database, server, *DAYS)
    account = list_backfills(conn)[0]
    assert (account.status, account.dagster_run_id) == ("completed", result.run_id)
    activity = conn.execute(
        "SELECT action, actor FROM lightfast.activity WHERE action LIKE 'backfill.%' ORDER BY id"
    ).fetchall()
    who = f"dagster:{result.run_id}"
    assert activity == [("backfill.started", who), ("backfill.completed", who)]


def test_the_configuration_chooses_resources_and_entity_types(
    instance: dg.DagsterInstance,
    database: Database,
    conn: Connection,
    source: Source,
    server: Served,
) -> None:
    unknown = run(instance, database, server, *DAYS, entity_types=["unheard_of"])
    nothing = run(instance, database, server, *DAYS, integrations=["acme/other"])
    chosen = run(
        instance, database, server, *DAYS, integrations=["acme/shop"], entity_types=["item"]
    )
    assert [unknown.success, nothing.success, chosen.success] == [False, False, True]
    why = unknown.all_node_events[-1].step_failure_data.error
    assert "no such entity type: unheard_of; known: item" in str(why)


def test_a_check_warns_of_fewer_records_than_the_provider_counts(
    instance: dg.DagsterInstance,
    database: Database,
    conn: Connection,
    source: Source,
    server: Served,
) -> None:
    def checks() -> dict[str, bool]:
        result = run(instance, database, server, *DAYS)
        return {e.check_name: e.passed for e in result.get_asset_check_evaluations()}

    assert checks() == {"history_is_whole": True, "no_history_failed": True}
    conn.execute("UPDATE lightfast.backfill_coverage SET expected = stored + 20")
    conn.commit()
    assert checks() == {"history_is_whole": False, "no_history_failed": True}


def test_who_reads_a_history_does_not_hold_back_what_waits() -> None:
    """Started as a job it has no selection of assets, picked as an asset it has no job of that name."""
    for job, selection in (("backfill", None), ("__ASSET_JOB", [dg.AssetKey("provider_history")])):
        run = dg.DagsterRun(job, asset_selection=frozenset(selection) if selection else None)
        assert presence_of_run(run) is None
    by_hand = {"dagster/partition": "2024-05-01"}
    both = frozenset({dg.AssetKey("provider_history"), dg.AssetKey("observations")})
    for run in (
        dg.DagsterRun("memory", tags=by_hand),
        dg.DagsterRun("__ASSET_JOB", tags=by_hand, asset_selection=both),
    ):
        assert presence_of_run(run) == "by hand"


def test_a_failed_unit_fails_a_run_that_read_nothing_and_says_why(
    instance: dg.DagsterInstance,
    database: Database,
    conn: Connection,
    source: Source,
    server: Served,
) -> None:
    server.faults.append(Fault("items", 99, 404, body={"message": "Not Found"}))
    result = run(instance, database, server, *DAYS)
    assert not result.success
    failure = next(e for e in result.all_node_events if e.is_step_failure)
    assert "github acme/shop item: not there: Not Found" in str(failure.step_failure_data.error)
