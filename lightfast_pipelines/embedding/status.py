"""Which embedder serves, why the hosted one does not, and what it used today."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from lightfast_pipelines.embedding.embedder import EmbeddingModel, HostedEmbedder
from lightfast_pipelines.embedding.openai_embedder import EMBEDDER_IS_OFF
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.hosted_vectors import HostedProgress, hosted_progress
from lightfast_pipelines.store.model_pauses import pause_in_force
from lightfast_pipelines.store.service_status import ServiceStatus, used_today


def embedder_statuses(
    conn: Connection, local: EmbeddingModel, hosted: HostedEmbedder | None, now: datetime
) -> list[ServiceStatus]:
    """The rows of the local embedder, and of the hosted one that a key turns on."""
    statuses = [
        ServiceStatus("embedder", local.name, "local", is_on=True, dimensions=local.dimensions)
    ]
    used = used_today(conn, "openai", now)
    if hosted is None:
        off = ServiceStatus(
            "embedder", "", "openai", is_on=False, off=EMBEDDER_IS_OFF, **asdict(used)
        )
        return [*statuses, off]
    progress = hosted_progress(conn)
    notes = [] if progress is None else [_words(progress)]
    if pause := pause_in_force(conn, now, hosted.provider):
        notes.append(pause.words)
    return [
        *statuses,
        ServiceStatus(
            "embedder",
            hosted.name,
            hosted.provider,
            is_on=True,
            dimensions=hosted.dimensions,
            notes=notes,
            **asdict(used),
        ),
    ]


def _words(progress: HostedProgress) -> str:
    more = "" if progress.is_examined else " or more"
    return (
        f"{progress.model} serves {progress.covered} of {progress.workspaces} workspaces, and "
        f"{progress.waiting:,}{more} observations wait for a vector of it"
    )
