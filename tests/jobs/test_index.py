"""The hosted index by its jobs: nothing without a key, everything with one, and a check that repairs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from lightfast_pipelines.capture.queue.batches import capture
from lightfast_pipelines.definitions import build_definitions
from lightfast_pipelines.embedding.pgvector import PgVectorIndex
from lightfast_pipelines.embedding.pinecone_index import PineconeIndex
from lightfast_pipelines.embedding.stage import embed_pending
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
from lightfast_pipelines.jobs import index as jobs
from lightfast_pipelines.resources.models import HostedIndexing
from lightfast_pipelines.settings import settings
from lightfast_pipelines.store.database import Connection, Database
from tests.arriving import arrive, link
from tests.embedding.pinecone_clients import Connect, connect, served, world
from tests.servers.pinecone import KEY, PineconeWorld
from tests.servers.serving import Fault, Served

__all__ = ["connect", "served", "world"]


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as made:
        yield made


@pytest.fixture
def with_key(monkeypatch: pytest.MonkeyPatch, served: Served) -> Iterator[None]:
    monkeypatch.setenv("PINECONE_API_KEY", KEY)
    monkeypatch.setenv("PINECONE_API_URL", served.url)
    settings.cache_clear()
    yield
    settings.cache_clear()


def remember(conn: Connection) -> None:
    link(conn)
    now = datetime.now(UTC)
    arrive(conn, [now.date()], each=3)
    capture(conn, days=None, max_rows=100, batch_rows=100, now=now)
    embed_pending(conn, WordLlamaEmbedder(), PgVectorIndex(conn), max_rows=100)


def run(
    instance: dg.DagsterInstance, database: Database, job: str, hosted: PineconeIndex
) -> dg.ExecuteInProcessResult:
    definitions = build_definitions(database=database, hosted_index=HostedIndexing(hosted))
    return definitions.resolve_job_def(job).execute_in_process(
        instance=instance, raise_on_error=False
    )


def test_without_a_key_nothing_runs_and_nothing_is_asked(
    instance: dg.DagsterInstance, database: Database, conn: Connection, served: Served
) -> None:
    remember(conn)
    context = dg.build_schedule_context(instance=instance, resources={"database": database})
    for schedule in (jobs.index_when_due, jobs.compare_index):
        tick = schedule(context)
        assert isinstance(tick, dg.SkipReason)
        assert tick.skip_message == "PINECONE_API_KEY is not set"
    definitions = build_definitions(database=database)
    for job in ("index", "index_comparison"):
        result = definitions.resolve_job_def(job).execute_in_process(instance=instance)
        assert result.success
        assert result.get_asset_materialization_events() == []
    assert served.asked == []


@pytest.mark.usefixtures("with_key")
def test_the_schedule_asks_until_the_index_has_everything(
    instance: dg.DagsterInstance,
    database: Database,
    conn: Connection,
    world: PineconeWorld,
    served: Served,
    connect: Connect,
) -> None:
    remember(conn)
    context = dg.build_schedule_context(instance=instance, resources={"database": database})
    assert isinstance(jobs.index_when_due(context), dg.RunRequest)
    assert isinstance(jobs.compare_index(context), dg.SkipReason)
    result = run(instance, database, "index", connect(served))
    (event,) = result.get_asset_materialization_events()
    metadata = event.materialization.metadata
    assert metadata["observations_sent_of_run"].value == 3
    assert metadata["waiting"].value == 0
    assert len(world.vectors()) == 9
    assert KEY not in "\n".join(str(each) for each in result.all_events)
    assert isinstance(jobs.index_when_due(context), dg.SkipReason)
    assert isinstance(jobs.compare_index(context), dg.RunRequest)
    # As when OPENAI_API_KEY was taken away, and no delivery comes.
    conn.execute("UPDATE lightfast.hosted_index SET model = 'text-embedding-3-small-1536'")
    conn.commit()
    assert isinstance(jobs.index_when_due(context), dg.RunRequest)
    run(instance, database, "index", connect(served))
    assert isinstance(jobs.index_when_due(context), dg.SkipReason)
    # As when a workspace is removed: nothing of it is left that could change.
    conn.execute("UPDATE lightfast.hosted_namespaces SET is_gone = true")
    conn.commit()
    assert isinstance(jobs.index_when_due(context), dg.RunRequest)


@pytest.mark.usefixtures("with_key")
def test_an_outage_fails_the_run_and_puts_the_next_one_off(
    instance: dg.DagsterInstance,
    database: Database,
    conn: Connection,
    served: Served,
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    remember(conn)
    served.faults.append(Fault(times=99, status=503))
    result = run(instance, database, "index", connect(served))
    assert not result.success
    assert "pgvector answers" in "\n".join(str(each) for each in result.all_events)
    context = dg.build_schedule_context(instance=instance, resources={"database": database})
    tick = jobs.index_when_due(context)
    assert isinstance(tick, dg.SkipReason)
    assert "asked again after" in (tick.skip_message or "")
    # Another index has not failed.
    monkeypatch.setenv("PINECONE_INDEX", "another")
    settings.cache_clear()
    assert isinstance(jobs.index_when_due(context), dg.RunRequest)
    monkeypatch.delenv("PINECONE_INDEX")
    settings.cache_clear()
    conn.execute(
        "UPDATE lightfast.model_pauses SET until = %s",
        (datetime.now(UTC) - timedelta(seconds=1),),
    )
    conn.commit()
    assert isinstance(jobs.index_when_due(context), dg.RunRequest)


def test_the_check_counts_and_repairs_what_does_not_agree(
    instance: dg.DagsterInstance,
    database: Database,
    conn: Connection,
    world: PineconeWorld,
    served: Served,
    connect: Connect,
) -> None:
    remember(conn)
    hosted = connect(served)
    run(instance, database, "index", hosted)
    (vectors,) = world.namespaces.values()
    lost = sorted(vectors)[0]
    vectors["observations#gone#title"] = vectors.pop(lost)
    (check,) = run(instance, database, "index_comparison", hosted).get_asset_check_evaluations()
    assert not check.passed
    assert (check.metadata["missing"].value, check.metadata["orphaned"].value) == (1, 1)
    run(instance, database, "index", hosted)
    assert lost in vectors
    assert "observations#gone#title" not in vectors
    conn.execute("UPDATE lightfast.hosted_namespaces SET compared_at = NULL")
    conn.commit()
    (check,) = run(instance, database, "index_comparison", hosted).get_asset_check_evaluations()
    assert check.passed
