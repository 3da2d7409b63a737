"""A memory with a hosted embedder: OpenAI's client against a local server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from lightfast_pipelines.embedding.hosted_stage import HostedReport, embed_hosted
from lightfast_pipelines.embedding.openai_embedder import OpenAIEmbedder
from lightfast_pipelines.embedding.pgvector import PgVectorIndex
from lightfast_pipelines.embedding.stage import embed_pending
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
from lightfast_pipelines.settings.services import OpenAIModel
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.hosted_vectors import examine_more, set_model
from tests.servers.openai import KEY, Embeddings, serve_openai
from tests.servers.serving import Served

DIMENSIONS = 64


@dataclass(slots=True)
class Hosted:
    """The connection, the server, and the account whose answers can be made wrong."""

    conn: Connection
    served: Served
    account: Embeddings
    embedders: list[OpenAIEmbedder] = field(default_factory=list)

    def embedder(
        self,
        model: OpenAIModel = "text-embedding-3-small",
        dimensions: int = DIMENSIONS,
        *,
        timeout_seconds: float = 30.0,
    ) -> OpenAIEmbedder:
        embedder = OpenAIEmbedder(
            KEY,
            model=model,
            dimensions=dimensions,
            url=self.served.url,
            timeout_seconds=timeout_seconds,
            sleep=lambda _seconds: None,
        )
        self.embedders.append(embedder)
        return embedder

    def set_model(self, embedder: OpenAIEmbedder | None) -> None:
        """What a tick of the schedule does."""
        set_model(self.conn, embedder.name if embedder else None)
        self.conn.commit()
        while examine_more(self.conn):
            pass

    def embed_locally(self) -> None:
        index = PgVectorIndex(self.conn)
        embed_pending(self.conn, WordLlamaEmbedder(), index, max_rows=10_000)
        self.conn.commit()

    def embed(self, embedder: OpenAIEmbedder | None = None, *, most: int = 10_000) -> HostedReport:
        index = PgVectorIndex(self.conn)
        return embed_hosted(self.conn, embedder or self.embedder(), index, max_rows=most)

    def embedded(self, model: str | None = None) -> list[int]:
        """Observations with all three vectors of the model."""
        rows = self.conn.execute(
            """
            SELECT observation_id FROM lightfast.observation_vectors WHERE model = %s
            GROUP BY 1 HAVING count(*) = 3 ORDER BY 1
            """,
            (model or self.embedder().name,),
        )
        return [row[0] for row in rows]

    def waiting(self) -> list[int]:
        rows = self.conn.execute(
            "SELECT observation_id FROM lightfast.hosted_embedding_queue ORDER BY 1"
        )
        return [row[0] for row in rows]


@contextmanager
def hosted_memory(conn: Connection) -> Iterator[Hosted]:
    with serve_openai() as (served, account):
        hosted = Hosted(conn, served, account)
        yield hosted
        for embedder in hosted.embedders:
            embedder.close()
