"""A delivery of any provider, as the receiver would store it."""

from __future__ import annotations

import json
from datetime import datetime
from hashlib import sha256
from typing import Any

from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.deliveries import Delivery
from lightfast_pipelines.store.linked_resources import Workspace, add_workspace, link_resource
from tests.capture.deliveries import NOW

Json = dict[str, Any]


def provider_delivery(
    provider: str,
    event: str,
    payload: Json,
    *,
    at: datetime = NOW,
    delivery_id: str | None = None,
    verified_by: str | None = None,
) -> Delivery:
    """`at` is the time of receipt, and for Sentry, which signs it, that of sending."""
    body = json.dumps(payload, separators=(",", ":")).encode()
    headers = {"sentry-hook-timestamp": str(int(at.timestamp()))} if provider == "sentry" else {}
    return Delivery(
        provider=provider,
        delivery_id=delivery_id or sha256(event.encode() + body + str(at).encode()).hexdigest(),
        event_type=event,
        body=body,
        headers=headers,
        received_at=at,
        partition_date=at.date(),
        ingestion_source="webhook",
        verified_by=verified_by or f"env:{provider.upper()}",
        org_id=None,
    )


def linked(
    conn: Connection, slug: str, *resources: tuple[str, str], org_id: str = "default"
) -> Workspace:
    """A workspace with these resources (provider, id)."""
    workspace = add_workspace(conn, slug, org_id)
    for provider, resource in resources:
        link_resource(conn, workspace, provider, resource)
    conn.commit()
    return workspace
