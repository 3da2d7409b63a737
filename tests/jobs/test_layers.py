"""Vectors of clusters, people and entities: asked for when something changed, made by their job."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from lightfast_pipelines.capture.queue.batches import capture
from lightfast_pipelines.definitions import build_definitions
from lightfast_pipelines.embedding.layers import layers_due
from lightfast_pipelines.embedding.pgvector import PgVectorIndex
from lightfast_pipelines.embedding.stage import embed_pending
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
from lightfast_pipelines.jobs.layers import layers_when_due
from lightfast_pipelines.resources.models import HostedEmbedding
from lightfast_pipelines.settings import settings
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.hosted_vectors import set_model
from lightfast_pipelines.store.model_pauses import pause
from tests.arriving import arrive, link
from tests.embedding.layered import HostedEmbedder


def test_the_schedule_asks_for_vectors_until_nothing_has_changed(
    database: Database, conn: Connection
) -> None:
    with dg.instance_for_test() as instance:
        context = dg.build_schedule_context(instance=instance, resources={"database": database})
        assert isinstance(layers_when_due(context), dg.SkipReason)
        link(conn)
        now = datetime.now(UTC)
        arrive(conn, [now.date()], each=3)
        capture(conn, days=None, max_rows=100, batch_rows=100, now=now)
        embed_pending(conn, WordLlamaEmbedder(), PgVectorIndex(conn), max_rows=100)
        assert isinstance(layers_when_due(context), dg.RunRequest)
        job = build_definitions(database=database).resolve_job_def("layers")
        result = job.execute_in_process(instance=instance)
        (event,) = result.get_asset_materialization_events()
        metadata = event.materialization.metadata
        assert metadata["entities_written_of_run"].value == 3
        assert metadata["waiting"].value == 0
        assert "Change 1" not in "\n".join(str(each) for each in result.all_events)
        assert isinstance(layers_when_due(context), dg.SkipReason)


@pytest.fixture
def _key(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("OPENAI_API_KEY", "key")
    settings.cache_clear()
    yield
    monkeypatch.undo()
    settings.cache_clear()


@pytest.mark.usefixtures("_key")
def test_what_waits_for_the_hosted_model_alone_is_left_while_the_model_is_paused(
    database: Database, conn: Connection
) -> None:
    link(conn)
    conn.execute(
        """
        INSERT INTO lightfast.layer_changes (workspace_id, layer, key, is_local_done)
        SELECT id, 'clusters', 'gone', true FROM lightfast.workspaces
        """
    )
    conn.commit()
    now = datetime.now(UTC)
    with dg.instance_for_test() as instance:
        context = dg.build_schedule_context(instance=instance, resources={"database": database})
        pause(conn, "openai", now + timedelta(hours=1), "OpenAI answered 429")
        conn.commit()
        skipped = layers_when_due(context)
        assert isinstance(skipped, dg.SkipReason)
        assert "OpenAI answered 429; asked again after" in str(skipped)
        pause(conn, "openai", now - timedelta(hours=3), "OpenAI answered 429")
        conn.commit()
        assert isinstance(layers_when_due(context), dg.RunRequest)


def test_a_run_for_local_changes_does_not_ask_a_paused_model(
    database: Database, conn: Connection
) -> None:
    link(conn)
    hosted = HostedEmbedder()
    set_model(conn, hosted.name)
    conn.execute(
        """
        INSERT INTO lightfast.layer_changes (workspace_id, layer, key)
        SELECT id, 'clusters', 'gone' FROM lightfast.workspaces
        """
    )
    definitions = build_definitions(database=database, hosted_embedding=HostedEmbedding(hosted))
    job = definitions.resolve_job_def("layers")
    now = datetime.now(UTC)
    with dg.instance_for_test() as instance:
        pause(conn, "openai", now + timedelta(hours=1), "OpenAI answered 429")
        conn.commit()
        assert job.execute_in_process(instance=instance).success
        assert (layers_due(conn), layers_due(conn, for_hosted=True)) == (0, 1)
        pause(conn, "openai", now - timedelta(hours=3), "OpenAI answered 429")
        conn.commit()
        assert job.execute_in_process(instance=instance).success
        assert (layers_due(conn), layers_due(conn, for_hosted=True)) == (0, 0)
