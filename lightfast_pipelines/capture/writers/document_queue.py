"""Notes which repositories' documents have to be looked at, as their files were moved by a payload."""

from __future__ import annotations

from lightfast_pipelines.capture.routing import RoutedPayloads
from lightfast_pipelines.domain.events import Parked
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.document_queue import LinkedRepository, queue_repositories


def ask_for_documents(conn: Connection, routed: RoutedPayloads) -> None:
    """Asks no provider: the row says only who has to look. The payload's events and paths do not count,
    as what is documented does not depend on which pushes a workspace wants to remember."""
    moved: set[LinkedRepository] = set()
    for payload in routed.payloads:
        route = payload.route
        if route is None or not route.moves_files or payload.error is not None:
            continue
        if isinstance(payload.reading, Parked):
            continue
        moved |= {
            LinkedRepository(
                reached.link.workspace_id,
                payload.raw.provider,
                route.resource_id,
                # The provider has long known what was read from its history.
                route.pushed if payload.raw.ingestion_source == "webhook" else None,
            )
            for reached in routed.reached[payload.raw.id]
            if reached.link.is_active
        }
    if moved:
        queue_repositories(conn, moved, "a push")
