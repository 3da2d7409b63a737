"""From deliveries to the hosted index in one process: a fault of the index leaves all else done."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from lightfast_pipelines.embedding.index import Tenant
from lightfast_pipelines.embedding.layers_search import search_layer
from lightfast_pipelines.embedding.openai_embedder import OpenAIEmbedder
from lightfast_pipelines.embedding.pgvector import PgVectorIndex
from lightfast_pipelines.embedding.pinecone_index import PineconeIndex
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
from lightfast_pipelines.inbox.requeue import rebuild
from lightfast_pipelines.processing import ProcessReport, process
from lightfast_pipelines.settings import Settings
from lightfast_pipelines.store.database import Connection, Database
from tests.arriving import arrive, count, link
from tests.embedding.pinecone_clients import FAULTS, Connect, connect, served, world
from tests.sensors.test_work_outside_runs import Silent
from tests.servers.openai import KEY as OPENAI_KEY
from tests.servers.openai import serve_openai
from tests.servers.pinecone import PineconeWorld
from tests.servers.serving import Served

__all__ = ["connect", "served", "world"]

NOW = datetime(2024, 5, 3, tzinfo=UTC)


def run(database: Database, index: PineconeIndex, now: datetime = NOW) -> ProcessReport:
    return process(
        *(database, Settings(), WordLlamaEmbedder(), PgVectorIndex, Silent()),
        hosted_index=index,
        clock=lambda: now,
    )


def test_a_rebuild_ends_with_the_same_vectors_under_the_same_ids(
    database: Database,
    conn: Connection,
    served: Served,
    world: PineconeWorld,
    connect: Connect,
) -> None:
    index = connect(served)
    link(conn)
    arrive(conn, [(NOW - timedelta(days=1)).date()], each=3)
    run(database, index)
    before = {key: stored.metadata for key, stored in world.vectors().items()}
    assert len(before) > 12
    rebuild(conn)
    conn.commit()
    run(database, index)
    assert {key: stored.metadata for key, stored in world.vectors().items()} == before


def test_with_a_hosted_model_the_index_holds_its_vectors_in_all_layers(
    database: Database,
    conn: Connection,
    served: Served,
    world: PineconeWorld,
    connect: Connect,
) -> None:
    world.dimension = 64
    link(conn)
    arrive(conn, [(NOW - timedelta(days=1)).date()], each=3)
    with serve_openai() as (openai, _):
        embedder = OpenAIEmbedder(OPENAI_KEY, dimensions=64, url=openai.url)
        report = process(
            *(database, Settings(), WordLlamaEmbedder(), PgVectorIndex, Silent()),
            hosted=embedder,
            hosted_index=connect(served),
            clock=lambda: NOW,
        )
        embedder.close()
    assert (report.hosted_unavailable, report.index_error) == (None, None)
    metadata = [stored.metadata for stored in world.vectors().values()]
    assert {each["model"] for each in metadata} == {embedder.name}
    assert {each["layer"] for each in metadata} >= {"observations", "clusters", "entities"}
    assert count(conn, "memory_vectors") > len(metadata) - report.hosted * 3


@pytest.mark.parametrize("name", FAULTS)
def test_events_are_stored_observed_and_found_while_the_index_is_at_fault(
    name: str,
    database: Database,
    conn: Connection,
    served: Served,
    world: PineconeWorld,
    connect: Connect,
) -> None:
    index = connect(served)
    link(conn)
    arrive(conn, [(NOW - timedelta(days=1)).date()], each=3)
    served.faults.append(replace(FAULTS[name]))
    report = run(database, index)
    assert report.waits.total == 0
    assert dict(report.outcomes) == {"delivered": 3}
    assert "Pinecone" in (report.index_error or "")
    assert (count(conn, "observations"), count(conn, "observation_vectors")) == (3, 9)
    tenant = Tenant(
        *conn.execute("SELECT id, org_id, slug FROM lightfast.workspaces").fetchall()[0]
    )
    vector = WordLlamaEmbedder().embed(["Change 2"])[0]
    answer = search_layer(
        conn, index, tenant, "observations", vector, 1, model="wordllama-256", now=NOW
    )
    (hit,) = answer.hits
    found = conn.execute(
        "SELECT title FROM lightfast.observations WHERE external_id = %s", (hit.key,)
    ).fetchone()
    assert found is not None
    assert "Change 2" in found[0]
    assert answer.answered_by == "pgvector"
    conn.commit()
    served.faults.clear()
    report = run(database, index, NOW + timedelta(minutes=5))
    assert (report.index_error, report.indexed > 0) == (None, True)
    assert sum(key.count("observations#") for key in world.vectors()) == 9
    entities = {
        stored.metadata["key"]
        for stored in world.vectors().values()
        if stored.metadata["layer"] == "entities"
    }
    assert entities == {f"github:pr:1#{number}" for number in (1, 2, 3)}
