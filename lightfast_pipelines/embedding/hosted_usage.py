"""Records what a hosted embedder used, for budgets and `lightfast models`."""

from __future__ import annotations

from datetime import date

from lightfast_pipelines.embedding.embedder import EmbeddingUsage, HostedEmbedder
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.model_usage import record_usage


def record_embedding_usage(
    conn: Connection, embedder: HostedEmbedder, *, purpose: str, day: date
) -> EmbeddingUsage:
    """Adds what was used since the last call to the day's usage, and returns it. The caller commits."""
    usage = embedder.take_usage()
    if usage.requests:
        record_usage(
            conn,
            day=day,
            provider=embedder.provider,
            model=embedder.name,
            purpose=purpose,
            requests=usage.requests,
            input_tokens=usage.tokens,
            failures=usage.failures,
            error=usage.error,
        )
    return usage
