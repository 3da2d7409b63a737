"""A memory, an index at a local server, and what the tests of the hosted index do with both."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from lightfast_pipelines.embedding.index import Tenant
from lightfast_pipelines.embedding.layers import make_layers
from lightfast_pipelines.embedding.layers_search import SearchAnswer, search_layer
from lightfast_pipelines.embedding.pgvector import PgVectorIndex
from lightfast_pipelines.embedding.pinecone_index import PineconeIndex
from lightfast_pipelines.embedding.projection import ProjectionReport, project
from lightfast_pipelines.embedding.stage import embed_pending
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
from lightfast_pipelines.store.database import Connection
from tests.capture.rows import Memory
from tests.embedding.pinecone_clients import Connect
from tests.servers.serving import Served

NOW = datetime(2024, 6, 1, tzinfo=UTC)
PULL = "github:pr:1#1"
MODEL = WordLlamaEmbedder()


@pytest.fixture
def index(served: Served, connect: Connect) -> PineconeIndex:
    return connect(served)


@pytest.fixture
def memory(conn: Connection) -> Memory:
    return Memory(conn, slug="Acme")


def commit(memory: Memory, number: int, title: str = "Retry the payment", **options: Any) -> int:
    return memory.observation(f"github:commit:{number:040}", title, **options)


def update(
    conn: Connection, index: PineconeIndex, *, now: datetime = NOW, model: Any = MODEL
) -> ProjectionReport:
    """Does what the stages do one after the other: vectors, layers, then the hosted index."""
    embed_pending(conn, model, PgVectorIndex(conn), max_rows=1_000)
    make_layers(conn, model)
    return project(conn, index, model, now=now)


def ids(conn: Connection) -> set[str]:
    """The ids that the index should have, by the tables."""
    rows = conn.execute(
        """
        SELECT 'default:' || w.slug || ' observations#' || o.external_id || '#' || v.view
        FROM lightfast.observation_vectors v JOIN lightfast.observations o ON o.id = v.observation_id
        JOIN lightfast.workspaces w ON w.id = o.workspace_id WHERE l2_norm(v.vector) > 0
        UNION ALL
        SELECT 'default:' || w.slug || ' ' || lightfast.index_id(v.layer, v.key)
        FROM lightfast.memory_vectors v JOIN lightfast.workspaces w ON w.id = v.workspace_id
        """
    )
    return {identifier for (identifier,) in rows}


def search(
    conn: Connection, index: PineconeIndex | None, memory: Memory, text: str, **options: Any
) -> SearchAnswer:
    tenant = Tenant(memory.workspace_id, memory.org_id, memory.slug)
    options.setdefault("now", NOW)
    layer = options.pop("layer", "observations")
    vector = MODEL.embed([text])[0]
    model = options.pop("model", MODEL.name)
    return search_layer(conn, index, tenant, layer, vector, 5, model=model, **options)


def external_id(conn: Connection, observation: int) -> str:
    row = conn.execute(
        "SELECT external_id FROM lightfast.observations WHERE id = %s", (observation,)
    ).fetchone()
    assert row is not None
    return str(row[0])
