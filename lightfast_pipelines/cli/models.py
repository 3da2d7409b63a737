"""`lightfast models`: which models and indexes serve, what they used today, and why one is off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lightfast_pipelines.cli.console import print_json, print_table, show
from lightfast_pipelines.cli.opening import command_connection, default_embedder
from lightfast_pipelines.cli.options import AsJson

if TYPE_CHECKING:
    from lightfast_pipelines.store.database import Connection
    from lightfast_pipelines.store.service_status import ServiceStatus


def models(as_json: AsJson = False) -> None:
    """Show the embedder, the language model and the vector index.

    What is on, why something is off, what it used today (UTC), what is left of the budget, and the last
    error.
    """
    with command_connection() as conn:
        statuses = service_statuses(conn)
    if as_json:
        print_json(statuses)
        return
    print_table(
        (
            *("SERVICE", "PROVIDER", "NAME", "DIMENSIONS", "ON", "REQUESTS", "FAILED", "TOKENS"),
            *("LEFT TODAY", "WHY NOT"),
        ),
        [
            (
                *(status.service, status.provider, status.name, status.dimensions),
                "yes" if status.is_on else "no",
                *(status.requests, status.failures, status.tokens_used, status.tokens_left),
                status.off,
            )
            for status in statuses
        ],
    )
    for status in statuses:
        for note in status.notes:
            show(f"{status.service}: {note}")
        if status.last_error is not None:
            show(f"{status.service}: last error at {status.last_failed_at}: {status.last_error}")


def service_statuses(conn: Connection) -> list[ServiceStatus]:
    from datetime import UTC, datetime

    from lightfast_pipelines.embedding.openai_embedder import openai_embedder
    from lightfast_pipelines.embedding.projection_status import index_statuses
    from lightfast_pipelines.embedding.status import embedder_statuses
    from lightfast_pipelines.language.claude import language_of
    from lightfast_pipelines.language.status import language_status
    from lightfast_pipelines.settings import settings

    now, chosen = datetime.now(UTC), settings()
    return [
        *embedder_statuses(conn, default_embedder(), openai_embedder(chosen), now),
        language_status(conn, language_of(chosen), now),
        *index_statuses(conn, chosen, now),
    ]
