"""With nothing to do, no schedule asks for a run, except those listed here with their reason."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo

import dagster as dg
import pytest

from lightfast_pipelines.definitions import build_definitions
from lightfast_pipelines.embedding.pgvector import PgVectorIndex
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
from lightfast_pipelines.jobs import liveness, waiting
from lightfast_pipelines.jobs.liveness import hourly_liveness
from lightfast_pipelines.jobs.waiting import waiting_when_changed
from lightfast_pipelines.processing import process
from lightfast_pipelines.sensors.new_payloads import new_payloads
from lightfast_pipelines.settings import settings
from lightfast_pipelines.store.database import Connection, Database
from tests.arriving import arrive, link
from tests.sensors.test_work_outside_runs import Silent

# Schedule -> why it asks for a run although nothing has changed.
ASKS_ALWAYS = {
    "nightly_upkeep": "once a night: makes the partitions of coming months, deletes old runs"
}


@pytest.fixture(scope="module")
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as made:
        yield made


@pytest.fixture
def idle(instance: dg.DagsterInstance, database: Database, conn: Connection) -> dg.Definitions:
    """A memory whose deliveries went through all stages hours ago, with the list and checks of it."""
    link(conn)
    arrive(conn, [datetime.now(UTC).date() - timedelta(days=2)], each=6)
    process(database, settings(), WordLlamaEmbedder(), PgVectorIndex, Silent())
    conn.execute("UPDATE lightfast.outcomes SET processed_at = processed_at - interval '6 hours'")
    conn.commit()
    definitions = build_definitions(database=database)
    for job in ("liveness", "waiting", "health"):
        assert definitions.resolve_job_def(job).execute_in_process(instance=instance).success
    return definitions


def test_nothing_asks_for_a_run_while_nothing_happens(
    instance: dg.DagsterInstance, database: Database, idle: dg.Definitions
) -> None:
    resources = {"database": database, "embedder": WordLlamaEmbedder()}
    repository = idle.get_repository_def()
    asking = set()
    for schedule in repository.schedule_defs:
        context = dg.build_schedule_context(instance=instance, resources=resources)
        if not isinstance(schedule(context), dg.SkipReason):
            asking.add(schedule.name)
    cursor = None
    # The first tick under new rules looks once at what older ones left.
    for _ in range(2):
        sensor_context = dg.build_sensor_context(
            instance=instance, resources=resources, cursor=cursor
        )
        tick = new_payloads.evaluate_tick(sensor_context)
        cursor = tick.cursor
    if tick.run_requests:
        asking.add(new_payloads.name)
    assert asking == ASKS_ALWAYS.keys()


def test_the_checks_are_due_while_deliveries_are_captured_and_once_a_day(
    instance: dg.DagsterInstance,
    database: Database,
    conn: Connection,
    idle: dg.Definitions,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    context = dg.build_schedule_context(instance=instance, resources={"database": database})
    assert isinstance(hourly_liveness(context), dg.SkipReason)
    # It was captured before the last checks, which leave out what is that new.
    conn.execute("UPDATE lightfast.outcomes SET processed_at = now() - interval '30 minutes'")
    conn.commit()
    assert isinstance(hourly_liveness(context), dg.RunRequest)
    conn.execute("UPDATE lightfast.outcomes SET processed_at = now() - interval '1 day'")
    conn.commit()
    assert isinstance(hourly_liveness(context), dg.SkipReason)
    monkeypatch.setattr(liveness, "AT_LEAST_EVERY", timedelta(0))
    assert isinstance(hourly_liveness(context), dg.RunRequest)


def test_the_checks_and_the_list_are_due_if_the_clock_was_set_back_since(
    instance: dg.DagsterInstance,
    database: Database,
    idle: dg.Definitions,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    context = dg.build_schedule_context(instance=instance, resources={"database": database})
    schedules = (hourly_liveness, waiting_when_changed)
    assert all(isinstance(schedule(context), dg.SkipReason) for schedule in schedules)

    class Earlier(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) - timedelta(hours=5)

    for module in (liveness, waiting):
        monkeypatch.setattr(module, "datetime", Earlier)
    assert all(isinstance(schedule(context), dg.RunRequest) for schedule in schedules)
