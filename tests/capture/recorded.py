"""Every recorded webhook of every provider as a delivery: full ones as they are, inner ones wrapped."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from lightfast_pipelines.providers import discover
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.deliveries import Delivery
from lightfast_pipelines.store.linked_resources import (
    LinkRefusedError,
    add_workspace,
    link_resource,
)
from tests.capture.deliveries import NOW


def recorded(shared: Path) -> list[Delivery]:
    """One delivery per file; files that hold none (a page's table of fields) are left out."""
    deliveries = []
    for line in (shared / "payloads" / "index.jsonl").read_text().splitlines():
        entry = json.loads(line)
        if entry["kind"] != "webhooks" or not entry.get("event"):
            continue
        payload = json.loads((shared / "payloads" / entry["path"]).read_bytes())
        body = json.dumps(_wrapped(entry, payload)).encode()
        deliveries.append(
            Delivery(
                provider=entry["provider"],
                delivery_id=hashlib.sha256(entry["path"].encode()).hexdigest(),
                event_type=entry["event"],
                body=body,
                headers={},
                received_at=NOW,
                partition_date=NOW.date(),
                ingestion_source="webhook",
                verified_by="env:SECRET",
            )
        )
    return deliveries


def _wrapped(entry: dict[str, Any], payload: Any) -> Any:
    if "_payload_only" in entry["path"]:
        identifier = hashlib.sha256(entry["path"].encode()).hexdigest()[:20]
        return {
            "id": identifier,
            "type": entry["event"],
            "createdAt": 1_700_000_000_000,
            "payload": payload,
        }
    if "_data_only" in entry["path"]:
        return {
            "action": entry["action"],
            "installation": {"uuid": "7a485448-a9e2-4c85-8a3c-4f44175783c9"},
            "data": payload,
            "actor": {"type": "application", "id": "sentry", "name": "Sentry"},
        }
    return payload


def link_everything(conn: Connection, deliveries: list[Delivery], slug: str = "shop") -> None:
    """Links every resource that the deliveries name to one workspace."""
    workspace = add_workspace(conn, slug)
    for provider, resource in sorted(
        {key for delivery in deliveries for key in _resources(delivery)}
    ):
        try:
            link_resource(conn, workspace, provider, resource)
        except LinkRefusedError:
            conn.rollback()
    conn.commit()


def _resources(delivery: Delivery) -> list[tuple[str, str]]:
    provider = discover()[delivery.provider]
    route = provider.route(delivery.event_type, provider.decode(delivery.body, delivery.headers))
    if route is None:
        return []
    candidates = [(route.resource_key, route.resource_id), *route.alternatives]
    # The id of anything but a resource (an installation, the entity it goes through) has another form.
    return [
        (delivery.provider, identifier)
        for key, identifier in candidates
        if key != route.via and key.split(":", 2)[2] == identifier
    ]
