"""The schedule asks only where something changed, and the job then decides it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

import dagster as dg
import pytest

from lightfast_pipelines.capture.queue.batches import capture
from lightfast_pipelines.definitions import build_definitions
from lightfast_pipelines.jobs.consolidation import consolidation_when_due
from lightfast_pipelines.people import organisations
from lightfast_pipelines.people.actors import ActorReport, decide_actors
from lightfast_pipelines.store.database import Connection, Database
from tests.arriving import arrive, count, link


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as made:
        yield made


def test_the_schedule_asks_for_consolidation_until_nothing_has_changed(
    instance: dg.DagsterInstance, database: Database, conn: Connection
) -> None:
    link(conn)
    context = dg.build_schedule_context(instance=instance, resources={"database": database})
    assert isinstance(consolidation_when_due(context), dg.SkipReason)
    arrive(conn, [date(2024, 5, 1), date(2024, 5, 2)])
    capture(conn, days=None, max_rows=10, batch_rows=10, now=datetime.now(UTC))
    assert isinstance(consolidation_when_due(context), dg.RunRequest)

    job = build_definitions(database=database).resolve_job_def("consolidation")
    result = job.execute_in_process(instance=instance)
    assert result.success
    assert {event.asset_key for event in result.get_asset_materialization_events()} == {
        dg.AssetKey("actors"),
        dg.AssetKey("cluster_consolidation"),
    }
    assert count(conn, "actors") == 1
    assert count(conn, "cluster_members") == 2
    assert isinstance(consolidation_when_due(context), dg.SkipReason)


def test_a_run_decides_the_actors_of_an_organisation_once(
    instance: dg.DagsterInstance,
    database: Database,
    conn: Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    link(conn)
    arrive(conn, [date(2024, 5, 1)])
    capture(conn, days=None, max_rows=10, batch_rows=10, now=datetime.now(UTC))
    decided: list[str] = []

    def counted(conn: Connection, org_id: str, *, now: datetime) -> ActorReport:
        decided.append(org_id)
        return decide_actors(conn, org_id, now=now)

    monkeypatch.setattr(organisations, "decide_actors", counted)
    job = build_definitions(database=database).resolve_job_def("consolidation")
    assert job.execute_in_process(instance=instance).success
    assert decided == ["default"]
