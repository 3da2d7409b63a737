"""Which vector index serves, why the hosted one does not, and what waits to be sent to it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from lightfast_pipelines.embedding.layers import layers_due
from lightfast_pipelines.embedding.pgvector import stored_dimensions
from lightfast_pipelines.embedding.pinecone_index import INDEX_IS_OFF, index_name
from lightfast_pipelines.embedding.projection import changes_waiting
from lightfast_pipelines.embedding.projection_state import IndexState, read_state
from lightfast_pipelines.settings import Settings
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.service_status import ServiceStatus, used_today


def index_statuses(conn: Connection, settings: Settings, now: datetime) -> list[ServiceStatus]:
    """The rows of pgvector, and of the hosted index that a key turns on. Asks nobody."""
    due = layers_due(conn)
    return [
        ServiceStatus(
            "vector index",
            "pgvector",
            "local",
            is_on=True,
            notes=[f"{due:,} changes of clusters, people and entities wait"] if due else [],
        ),
        _hosted(conn, settings, now),
    ]


def _hosted(conn: Connection, settings: Settings, now: datetime) -> ServiceStatus:
    is_on = settings.pinecone_api_key is not None
    state = read_state(conn)
    is_known = state is not None and state.name == index_name(settings)
    return ServiceStatus(
        "vector index",
        settings.pinecone_index if is_on else "",
        "pinecone",
        is_on=is_on,
        off=_why_not(settings, state if is_known else None, now),
        dimensions=stored_dimensions(conn, state.model) if is_on and state and is_known else None,
        notes=[] if state is None else _notes(conn, state),
        **asdict(used_today(conn, "pinecone", now)),
    )


def _why_not(settings: Settings, state: IndexState | None, now: datetime) -> str | None:
    if settings.pinecone_api_key is None:
        return INDEX_IS_OFF
    if state is None:
        return "it is not filled yet: its next run begins"
    return state.why_not(state.name, state.model, now)


def _notes(conn: Connection, state: IndexState) -> list[str]:
    waiting, refused = changes_waiting(conn)
    notes = [f"{waiting:,} changes wait for {state.name}, which holds the vectors of {state.model}"]
    if refused:
        notes.append(f"it refused {refused:,} things, which it gets again when they change")
    row = conn.execute(
        """
        SELECT sum(vectors)::bigint, sum(missing)::bigint, sum(orphaned)::bigint, max(compared_at)
        FROM lightfast.hosted_namespaces WHERE compared_at IS NOT NULL
        """
    ).fetchone()
    if row is not None and row[3] is not None:
        notes.append(
            f"compared until {row[3]:%Y-%m-%d %H:%M} UTC: {row[0]:,} vectors there, {row[1]:,} were "
            f"missing and {row[2]:,} had no row"
        )
    return notes
