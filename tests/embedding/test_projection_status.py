"""What `lightfast models` says about the vector indexes, without asking anybody."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lightfast_pipelines.embedding.pgvector import PgVectorIndex
from lightfast_pipelines.embedding.pinecone_index import PineconeIndex
from lightfast_pipelines.embedding.projection_status import index_statuses
from lightfast_pipelines.embedding.stage import embed_pending
from lightfast_pipelines.settings import Settings
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.service_status import ServiceStatus
from tests.capture.rows import Memory
from tests.embedding.pinecone_clients import connect, served, world
from tests.embedding.projected import (
    MODEL,
    NOW,
    commit,
    index,
    memory,
    update,
)
from tests.servers.pinecone import KEY, PineconeWorld
from tests.servers.serving import Served

__all__ = ["connect", "index", "memory", "served", "world"]


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PINECONE_API_KEY", KEY)


def hosted(conn: Connection) -> ServiceStatus:
    local, status = index_statuses(conn, Settings(), NOW + timedelta(seconds=1))
    assert (local.name, local.is_on) == ("pgvector", True)
    assert KEY not in str(status)
    return status


def test_it_names_dimensions_usage_and_what_waits(
    conn: Connection, memory: Memory, index: PineconeIndex
) -> None:
    assert hosted(conn).off == "it is not filled yet: its next run begins"
    commit(memory, 1)
    update(conn, index)
    commit(memory, 2)
    embed_pending(conn, MODEL, PgVectorIndex(conn), max_rows=10)
    status = hosted(conn)
    assert (status.name, status.dimensions, status.off) == ("lightfast", 256, None)
    assert status.requests > 0
    assert status.notes[0].startswith("1 changes wait for pinecone:lightfast")


def test_it_says_why_an_index_cannot_be_asked(
    conn: Connection, memory: Memory, index: PineconeIndex, world: PineconeWorld, served: Served
) -> None:
    commit(memory, 1)
    update(conn, index)
    world.dimension = 8
    update(conn, index)
    assert "has dimension 8, the embedder makes 256" in (hosted(conn).off or "")


def test_without_the_key_what_is_noted_for_the_index_is_still_shown(
    conn: Connection, memory: Memory, index: PineconeIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(memory, 1)
    update(conn, index)
    monkeypatch.delenv("PINECONE_API_KEY")
    status = hosted(conn)
    assert (status.is_on, status.off) == (False, "PINECONE_API_KEY is not set")
    assert status.notes[0].startswith("0 changes wait")
