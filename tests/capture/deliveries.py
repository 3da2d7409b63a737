"""Puts deliveries into the queue and captures them, as receiver, ingest and run would."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Any

from lightfast_pipelines.capture.queue.batches import CaptureReport, capture
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.deliveries import Delivery, insert_deliveries
from lightfast_pipelines.store.linked_resources import Workspace, add_workspace, link_resource
from tests.providers.github.payloads import encoded

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)


def delivery(
    event: str,
    payload: dict[str, Any] | bytes,
    delivery_id: str | None = None,
    *,
    received_at: datetime = NOW,
    org_id: str | None = None,
    source: str = "webhook",
) -> Delivery:
    body = payload if isinstance(payload, bytes) else encoded(payload)
    return Delivery(
        provider="github",
        delivery_id=delivery_id or f"{event}-{hash(body)}",
        event_type=event,
        body=body,
        headers={"content-type": "application/json"},
        received_at=received_at,
        partition_date=received_at.date(),
        ingestion_source=source,
        verified_by="manual" if org_id else "env:GITHUB_WEBHOOK_SECRET",
        org_id=org_id,
    )


def receive(conn: Connection, deliveries: Iterable[Delivery]) -> None:
    insert_deliveries(conn, list(deliveries))
    conn.commit()


def capture_all(
    conn: Connection, *, batch_rows: int = 100, days: Sequence[date] | None = None
) -> CaptureReport:
    return capture(conn, days=days, max_rows=1_000_000, batch_rows=batch_rows, now=NOW)


def workspace_with(
    conn: Connection, slug: str = "shop", *repositories: int, org_id: str = "default"
) -> Workspace:
    workspace = add_workspace(conn, slug, org_id)
    for repository in repositories or (1,):
        link_resource(conn, workspace, "github", str(repository))
    conn.commit()
    return workspace


def one(conn: Connection, query: str, *parameters: object) -> Any:
    """The single value, or the single row, that the query finds."""
    row = conn.execute(query, parameters).fetchone()
    conn.rollback()
    assert row is not None
    return row[0] if len(row) == 1 else row


def rows(conn: Connection, query: str, *parameters: object) -> list[tuple[Any, ...]]:
    fetched = conn.execute(query, parameters).fetchall()
    conn.rollback()
    return fetched
