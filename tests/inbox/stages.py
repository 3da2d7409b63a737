"""Two organisations with observations, and the stages that run on them."""

from __future__ import annotations

from lightfast_pipelines.clustering.provisional import assign_provisional
from lightfast_pipelines.embedding.embedder import WordLlamaEmbedder
from lightfast_pipelines.embedding.pgvector import PgVectorIndex
from lightfast_pipelines.embedding.stage import embed_pending
from lightfast_pipelines.store.database import Connection
from tests.capture.rows import Memory

FAILURES = "SELECT count(*) FROM lightfast.stage_failures"


def two_tenants(conn: Connection, *titles: str, honest: int = 10) -> tuple[Memory, list[int]]:
    """Two organisations with honest observations. The first also has one of each title: returns their ids."""
    attacker = Memory(conn, "attacker", "org-1")
    bad = [attacker.observation(f"github:commit:{n:039}b", title) for n, title in enumerate(titles)]
    for memory in (attacker, Memory(conn, "honest", "org-2")):
        for n in range(honest):
            memory.observation(f"github:commit:{n:040}", f"An honest change {n}")
    conn.commit()
    return attacker, bad


def embed(conn: Connection, model: WordLlamaEmbedder | None = None) -> int:
    report = embed_pending(conn, model or WordLlamaEmbedder(), PgVectorIndex(conn), max_rows=1000)
    return report.observations


def cluster(conn: Connection) -> int:
    return assign_provisional(conn, max_rows=1000).observations
