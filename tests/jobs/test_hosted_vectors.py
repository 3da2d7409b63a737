"""The hosted model's schedule and run, by the settings alone, against a local server of OpenAI's format."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import dagster as dg
import pytest

from lightfast_pipelines.definitions import build_definitions
from lightfast_pipelines.jobs.hosted_vectors import hosted_vectors_when_due
from lightfast_pipelines.partitions import range_tags, today
from lightfast_pipelines.settings import settings
from lightfast_pipelines.store.database import Connection, Database
from tests.arriving import arrive, count, link
from tests.servers.openai import KEY, Embeddings, serve_openai
from tests.servers.serving import Fault, Served

DAYS = [today() - timedelta(days=1), today()]


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as made:
        yield made


@pytest.fixture
def openai(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Served, Embeddings]]:
    with serve_openai() as (served, account):
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("OPENAI_API_URL", served.url)
        monkeypatch.setenv("LIGHTFAST_OPENAI_DIMENSIONS", "64")
        settings.cache_clear()
        yield served, account
    monkeypatch.undo()
    settings.cache_clear()


@pytest.fixture
def remembered(
    conn: Connection, instance: dg.DagsterInstance, database: Database
) -> dg.DagsterInstance:
    """Deliveries of two days that a run of the job `memory` has captured."""
    link(conn)
    arrive(conn, DAYS, each=2)
    tags = {**range_tags(DAYS), "lightfast/pending": "recent"}
    memory = build_definitions(database=database).resolve_job_def("memory")
    assert memory.execute_in_process(instance=instance, tags=tags).success
    return instance


def tick(instance: dg.DagsterInstance, database: Database) -> dg.RunRequest | dg.SkipReason:
    context = dg.build_schedule_context(instance=instance, resources={"database": database})
    asked = hosted_vectors_when_due(context)
    assert isinstance(asked, dg.RunRequest | dg.SkipReason)
    return asked


def run(
    instance: dg.DagsterInstance, database: Database, request: dg.RunRequest
) -> dg.ExecuteInProcessResult:
    definition = build_definitions(database=database).resolve_job_def("hosted_vectors")
    return definition.execute_in_process(
        instance=instance, tags=dict(request.tags), raise_on_error=False
    )


def test_without_a_key_the_schedule_asks_for_nothing(
    remembered: dg.DagsterInstance, database: Database, conn: Connection
) -> None:
    assert tick(remembered, database) == dg.SkipReason("OPENAI_API_KEY is not set")
    assert count(conn, "hosted_embedding_queue") == 0


def test_a_run_embeds_the_days_that_wait_and_shows_what_it_used(
    openai: tuple[Served, Embeddings],
    remembered: dg.DagsterInstance,
    database: Database,
    conn: Connection,
) -> None:
    request = tick(remembered, database)
    assert isinstance(request, dg.RunRequest)
    assert request.tags.items() >= range_tags(DAYS).items()
    waiting = count(conn, "hosted_embedding_queue")
    result = run(remembered, database, request)
    assert result.success
    events = result.get_asset_materialization_events()
    assert {event.partition for event in events} == {day.isoformat() for day in DAYS}
    metadata = events[-1].materialization.metadata
    assert metadata["model"].value == "text-embedding-3-small-64"
    assert metadata["observations_of_run"].value in {waiting, waiting // 2}
    assert metadata["tokens_of_run"].value
    assert metadata["waiting"].value == 0
    text = "\n".join(str(each) for each in result.all_events)
    assert KEY not in text
    assert isinstance(tick(remembered, database), dg.SkipReason)


def test_an_outage_fails_only_its_own_run_and_the_service_is_left_alone_for_a_while(
    openai: tuple[Served, Embeddings],
    remembered: dg.DagsterInstance,
    database: Database,
    conn: Connection,
) -> None:
    served, _ = openai
    served.faults.append(Fault(status=401, times=100))
    request = tick(remembered, database)
    assert isinstance(request, dg.RunRequest)
    assert not run(remembered, database, request).success
    skipped = tick(remembered, database)
    assert isinstance(skipped, dg.SkipReason)
    assert "OpenAI answered 401: check OPENAI_API_KEY; asked again after" in str(skipped)
    # Meanwhile other deliveries are captured, embedded and clustered as always.
    arrive(conn, [today()], first=50)
    memory = build_definitions(database=database).resolve_job_def("memory")
    tags = {**range_tags([today()]), "lightfast/pending": "recent"}
    assert memory.execute_in_process(instance=remembered, tags=tags).success
    served.faults.clear()
    conn.execute("UPDATE lightfast.model_pauses SET until = now()")
    conn.commit()
    request = tick(remembered, database)
    assert isinstance(request, dg.RunRequest)
    assert run(remembered, database, request).success
    assert count(conn, "hosted_embedding_queue") == 0
