"""Hands out the embedder and the vector index that the settings choose.

The clients are imported where they are made: most processes need none of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from lightfast_pipelines.embedding.embedder import Embedder, HostedEmbedder
from lightfast_pipelines.embedding.index import HostedIndex, VectorIndex
from lightfast_pipelines.settings import settings
from lightfast_pipelines.store.database import Connection

__all__ = ["Embedder", "EmbedderResource", "VectorIndexFactory", "VectorIndexResource"]


class EmbedderResource(dg.ConfigurableResource[Embedder]):
    """The local embedder: needs no key and no network."""

    def create_resource(self, context: dg.InitResourceContext) -> Embedder:  # noqa: ARG002
        from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder

        return WordLlamaEmbedder()


class HostedEmbedding:
    """The embedder of the hosted model, if a key turns one on."""

    def __init__(self, embedder: HostedEmbedder | None) -> None:
        self.embedder = embedder


class HostedEmbeddingResource(dg.ConfigurableResource[HostedEmbedding]):
    """OpenAI's embedder, if OPENAI_API_KEY is set; no configuration holds the key."""

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[HostedEmbedding]:  # noqa: ARG002
        from lightfast_pipelines.embedding.openai_embedder import openai_embedder

        embedder = openai_embedder(settings())
        try:
            yield HostedEmbedding(embedder)
        finally:
            if embedder is not None:
                embedder.close()


class HostedIndexing:
    """The hosted index of vectors, if a key turns one on."""

    def __init__(self, index: HostedIndex | None) -> None:
        self.index = index


class HostedIndexResource(dg.ConfigurableResource[HostedIndexing]):
    """Pinecone, if PINECONE_API_KEY is set; no configuration holds the key."""

    @contextmanager
    def yield_for_execution(
        self,
        context: dg.InitResourceContext,  # noqa: ARG002
    ) -> Iterator[HostedIndexing]:
        from lightfast_pipelines.embedding.pinecone_index import pinecone_index

        index = pinecone_index(settings())
        try:
            yield HostedIndexing(index)
        finally:
            if index is not None:
                index.close()


class VectorIndexFactory:
    """Makes a vector index that writes through a given connection."""

    def on(self, conn: Connection) -> VectorIndex:
        from lightfast_pipelines.embedding.pgvector import PgVectorIndex

        return PgVectorIndex(conn)


class VectorIndexResource(dg.ConfigurableResource[VectorIndexFactory]):
    """The vector index in the memory's own Postgres."""

    def create_resource(self, context: dg.InitResourceContext) -> VectorIndexFactory:  # noqa: ARG002
        return VectorIndexFactory()
