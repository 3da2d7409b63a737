"""A hosted model makes vectors of the layers after the local one; no fault of it delays or loses anything."""

from __future__ import annotations

from datetime import timedelta

from lightfast_pipelines.embedding.index import VIEWS, Vectors
from lightfast_pipelines.embedding.layers import (
    layers_due,
    make_hosted_layers,
    make_layers,
)
from lightfast_pipelines.embedding.pgvector import PgVectorIndex
from lightfast_pipelines.embedding.stage import embed_pending
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.hosted_vectors import set_model
from lightfast_pipelines.store.model_pauses import current_pause
from lightfast_pipelines.store.model_usage import usage_on
from tests.capture.rows import Memory
from tests.embedding.layered import ISSUE, NOW, PULL, HostedEmbedder, all_rows, join, memory

__all__ = ["memory"]


def test_a_hosted_model_makes_its_own_of_what_it_embedded_and_its_outage_delays_nothing_else(
    conn: Connection, memory: Memory
) -> None:
    hosted = HostedEmbedder()
    set_model(conn, hosted.name)
    first = memory.observation(PULL, "Retry the payment")
    memory.observation(ISSUE, "Insignificant")
    join(memory, "c1", first)
    embed_pending(conn, WordLlamaEmbedder(), PgVectorIndex(conn), max_rows=10)
    PgVectorIndex(conn).upsert(
        Vectors("hosted", [memory.workspace_id] * 3, [first] * 3, VIEWS, hosted.embed(["x"] * 3))
    )
    hosted.texts.clear()
    hosted.is_away = True
    assert make_layers(conn, WordLlamaEmbedder()).written == {"clusters": 1, "entities": 2}
    report = make_hosted_layers(conn, hosted, clock=lambda: NOW)
    assert report.unavailable == "it does not answer"
    pause = current_pause(conn, "openai")
    assert pause is not None
    assert (pause.until, pause.error) == (NOW + timedelta(seconds=90), "it does not answer")
    assert (layers_due(conn), layers_due(conn, for_hosted=True) > 0) == (0, True)
    hosted.is_away = False
    assert make_hosted_layers(conn, hosted, clock=lambda: NOW).written == {
        "clusters": 1,
        "entities": 1,
    }
    assert current_pause(conn, "openai") is None
    assert [text.splitlines()[1] for text in hosted.texts] == [PULL]
    assert layers_due(conn, for_hosted=True) == 0
    models = [(row["layer"], row["model"]) for row in all_rows(conn)]
    assert sorted(models) == [
        *(("clusters", "hosted"), ("clusters", "wordllama-256")),
        *(("entities", "hosted"), ("entities", "wordllama-256"), ("entities", "wordllama-256")),
    ]
    (used,) = usage_on(conn, NOW.date())
    assert (used.purpose, used.requests, used.failures) == ("entities", 2, 1)
    conn.execute("DELETE FROM lightfast.observation_facts")
    make_layers(conn, WordLlamaEmbedder())
    make_hosted_layers(conn, hosted, clock=lambda: NOW)
    assert all_rows(conn) == []


def test_a_text_that_the_hosted_model_refuses_leaves_all_other_vectors_and_the_local_ones(
    conn: Connection, memory: Memory
) -> None:
    hosted = HostedEmbedder()
    set_model(conn, hosted.name)
    memory.observation(PULL, "Retry the payment")
    memory.observation(ISSUE, "Poison")
    embed_pending(conn, WordLlamaEmbedder(), PgVectorIndex(conn), max_rows=10)
    ids = [row[0] for row in conn.execute("SELECT id FROM lightfast.observations")] * 3
    PgVectorIndex(conn).upsert(
        Vectors("hosted", [memory.workspace_id] * 6, ids, VIEWS * 2, hosted.embed(["x"] * 6))
    )
    hosted.refused = "Poison"
    assert make_layers(conn, WordLlamaEmbedder()).written == {"entities": 2}
    report = make_hosted_layers(conn, hosted, clock=lambda: NOW)
    assert (report.written, report.failures, report.unavailable) == ({"entities": 1}, 0, None)
    assert (layers_due(conn), layers_due(conn, for_hosted=True)) == (0, 0)


def test_a_service_that_refuses_every_text_is_away_and_no_entity_is_at_fault(
    conn: Connection, memory: Memory
) -> None:
    hosted = HostedEmbedder()
    set_model(conn, hosted.name)
    pull = memory.observation(PULL, "Retry the payment")
    embed_pending(conn, WordLlamaEmbedder(), PgVectorIndex(conn), max_rows=10)
    PgVectorIndex(conn).upsert(
        Vectors("hosted", [memory.workspace_id] * 3, [pull] * 3, VIEWS, hosted.embed(["x"] * 3))
    )
    hosted.refused = ""
    make_layers(conn, WordLlamaEmbedder())
    report = make_hosted_layers(conn, hosted, clock=lambda: NOW)
    assert (report.unavailable, report.failures) == ("no text at all is embedded: 400", 0)
    hosted.refused = None
    assert make_hosted_layers(conn, hosted, clock=lambda: NOW).written == {"entities": 1}
