"""A memory with clusters and profiles, embedders that note what they embed, and vectors of layers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lightfast_pipelines.embedding.embedder import EmbeddingUsage, RefusedTextError
from lightfast_pipelines.embedding.layers import (
    LayersReport,
    make_layers,
)
from lightfast_pipelines.embedding.pgvector import PgVectorIndex
from lightfast_pipelines.embedding.stage import embed_pending
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
from lightfast_pipelines.inbox.isolation import ServiceUnavailableError
from lightfast_pipelines.store.database import Connection
from tests.capture.rows import Memory

NOW = datetime(2024, 6, 1, tzinfo=UTC)
PULL, ISSUE = "github:pr:1#1", "github:issue:1#2"


class CountingEmbedder(WordLlamaEmbedder):
    """Notes the texts that it embeds."""

    def __init__(self, name: str = "wordllama-256") -> None:
        self.name = name
        self.texts: list[str] = []

    def embed(self, texts: Any) -> NDArray[np.float32]:
        self.texts += texts
        return super().embed(texts)


@pytest.fixture
def memory(conn: Connection) -> Memory:
    return Memory(conn)


def update(conn: Connection, embedder: CountingEmbedder | None = None) -> LayersReport:
    """Embeds what waits, then makes the layers."""
    embed_pending(conn, WordLlamaEmbedder(), PgVectorIndex(conn), max_rows=1_000)
    return make_layers(conn, embedder or CountingEmbedder())


def join(memory: Memory, cluster: str, *observations: int, label: str = "Payments") -> None:
    """Puts observations into a cluster, as the stages do."""
    memory.conn.execute(
        """
        INSERT INTO lightfast.clusters (id, workspace_id, topic_label, status, observation_count,
          first_observation_at, last_observation_at, rule_version)
        VALUES (%s, %s, %s, 'open', 1, now(), now(), 1) ON CONFLICT DO NOTHING
        """,
        (cluster, memory.workspace_id, label),
    )
    for observation in observations:
        memory.conn.execute(
            """
            INSERT INTO lightfast.cluster_members
              (observation_id, workspace_id, cluster_id, thread_key, rule_version, is_provisional,
               subject_key, occurred_at)
            VALUES (%s, %s, %s, 't', 1, false, 't', now())
            ON CONFLICT (observation_id) DO UPDATE SET cluster_id = excluded.cluster_id
            """,
            (observation, memory.workspace_id, cluster),
        )


def profile(memory: Memory, actor: str, identity: int, *, kind: str = "person") -> None:
    """Makes the identity an actor with a profile, as the stages do."""
    memory.conn.execute(
        "INSERT INTO lightfast.actors (id, org_id, display_name, kind) VALUES (%s, 'default', %s, %s)",
        (actor, actor.title(), kind),
    )
    memory.conn.execute(
        "UPDATE lightfast.actor_identities SET actor_id = %s WHERE id = %s", (actor, identity)
    )
    memory.conn.execute(
        """
        INSERT INTO lightfast.actor_profiles (workspace_id, actor_id, expertise_domains,
          observation_count, last_active_at, profile_confidence, evidence_hash, rule_version)
        VALUES (%s, %s, '{"directory:src/cart": 0.5, "category:bug_fix": 1}', 1, now(), 0.5, '', 1)
        """,
        (memory.workspace_id, actor),
    )


def vectors(conn: Connection, layer: str) -> dict[str, NDArray[np.float32]]:
    rows = conn.execute(
        "SELECT key, vector::text FROM lightfast.memory_vectors WHERE layer = %s ORDER BY key",
        (layer,),
    ).fetchall()
    return {key: np.fromstring(text[1:-1], np.float32, sep=",") for key, text in rows}


def rows_of(conn: Connection, layer: str) -> list[dict[str, Any]]:
    rows = conn.execute(
        "SELECT to_jsonb(v) FROM lightfast.memory_vectors v WHERE layer = %s ORDER BY key", (layer,)
    ).fetchall()
    return [row for (row,) in rows]


def all_rows(conn: Connection) -> list[dict[str, Any]]:
    return [
        row
        for (row,) in conn.execute("SELECT to_jsonb(v) FROM lightfast.memory_vectors v").fetchall()
    ]


def mean(texts: list[str]) -> NDArray[np.float32]:
    vector = WordLlamaEmbedder().embed(texts).mean(axis=0)
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


class HostedEmbedder(CountingEmbedder):
    """As a hosted one, which may be away."""

    provider = "openai"

    def __init__(self) -> None:
        super().__init__("hosted")
        self.is_away = False
        self.refused: str | None = None

    def embed(self, texts: Any) -> NDArray[np.float32]:
        if self.is_away:
            raise ServiceUnavailableError("it does not answer", retry_after=90)
        if self.refused is not None and any(self.refused in text for text in texts):
            raise RefusedTextError("400")
        return super().embed(texts)

    def take_usage(self) -> EmbeddingUsage:
        return EmbeddingUsage(requests=1, failures=int(self.is_away))
