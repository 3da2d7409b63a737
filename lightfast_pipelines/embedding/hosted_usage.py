"""Records what a hosted embedder used, for `lightfast models`, and whether it may be asked again at once."""

from __future__ import annotations

from datetime import date, datetime

from lightfast_pipelines.embedding.embedder import EmbeddingUsage, HostedEmbedder
from lightfast_pipelines.inbox.isolation import ServiceUnavailableError
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.model_pauses import pause, resume
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


def pause_or_resume(
    conn: Connection,
    embedder: HostedEmbedder,
    now: datetime,
    failure: ServiceUnavailableError | None,
    requests: int,
) -> None:
    """Pauses the provider after a run that it failed, for longer each time; a run that it answered ends
    that. The schedules ask for no run during a pause. The caller commits."""
    if failure is not None:
        pause(conn, embedder.provider, now, str(failure), failure.retry_after)
    elif requests:
        resume(conn, embedder.provider)
