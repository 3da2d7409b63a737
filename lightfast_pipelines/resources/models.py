"""Hands out the embedder and the vector index that the settings turn on."""

from __future__ import annotations

import dagster as dg

from lightfast_pipelines.models.embedder import Embedder, WordLlamaEmbedder
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.vectors.index import VectorIndex
from lightfast_pipelines.vectors.pgvector import PgVectorIndex

__all__ = ["Embedder", "EmbedderResource", "VectorIndexFactory", "VectorIndexResource"]


class EmbedderResource(dg.ConfigurableResource[Embedder]):
    """The local embedder: needs no key and no network."""

    def create_resource(self, context: dg.InitResourceContext) -> Embedder:  # noqa: ARG002
        return WordLlamaEmbedder()


class VectorIndexFactory:
    """Makes the vector index that writes with a given connection."""

    def on(self, conn: Connection) -> VectorIndex:
        return PgVectorIndex(conn)


class VectorIndexResource(dg.ConfigurableResource[VectorIndexFactory]):
    """The vector index in the memory's own Postgres."""

    def create_resource(self, context: dg.InitResourceContext) -> VectorIndexFactory:  # noqa: ARG002
        return VectorIndexFactory()
