"""Captures a world twice: once by a backfill from its API, once from its webhooks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

import pytest

from lightfast_pipelines.backfill import run as backfill
from lightfast_pipelines.backfill.request import BackfillListener, BackfillRequest, BackfillResult
from lightfast_pipelines.providers.api_contract import ProviderApi, Window
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.deliveries import Delivery
from lightfast_pipelines.store.linked_resources import add_workspace, link_resource
from lightfast_pipelines.store.sources import find_sources
from tests.backfill.conftest import PlainApis
from tests.capture.deliveries import NOW, capture_all, receive


def by_backfill(
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    apis: PlainApis,
    resource: str,
    window: Window,
    meta: Mapping[str, Any],
) -> BackfillResult:
    """Links the resource, backfills its history and captures it."""
    provider = apis.provider_api.provider
    with database.connect("pipeline") as conn:
        link_resource(conn, add_workspace(conn, "shop"), provider, resource, meta=meta)
        conn.execute(
            """
            INSERT INTO lightfast.tokens (installation_id, kind, key_id)
            SELECT id, 'token', 'none' FROM lightfast.installations
            """
        )
        conn.commit()
        sources = find_sources(conn)
        provider_apis: dict[str, ProviderApi] = {provider: apis.provider_api}
        monkeypatch.setattr(backfill, "discover_apis", lambda: provider_apis)
        request = BackfillRequest(sources, window.since, window.until, requested_by="operator:test")
        conn.rollback()
        result = backfill.run_backfill(
            database, apis, request, first_day=date(2008, 1, 1), listener=BackfillListener()
        )
        capture_all(conn)
    return result


def by_webhook(
    database: Database,
    provider: str,
    resources: Iterable[str],
    deliveries: Iterable[tuple[str, bytes, Mapping[str, str]]],
) -> None:
    """Links the resources and captures these deliveries."""
    with database.connect("pipeline") as conn:
        workspace = add_workspace(conn, "shop")
        for resource in resources:
            link_resource(conn, workspace, provider, resource)
        receive(
            conn,
            [
                Delivery(
                    provider=provider,
                    delivery_id=str(number),
                    event_type=event,
                    body=body,
                    headers=headers,
                    received_at=NOW,
                    partition_date=NOW.date(),
                    ingestion_source="webhook",
                    verified_by=f"env:{provider}",
                    org_id=None,
                )
                for number, (event, body, headers) in enumerate(deliveries)
            ],
        )
        conn.commit()
        capture_all(conn)


def outcomes(conn: Connection) -> set[tuple[str, str | None]]:
    """(status, reason) of each payload that was not delivered, and the raw rows of a workspace."""
    found = conn.execute("SELECT DISTINCT status, reason FROM lightfast.outcomes").fetchall()
    return {(str(status), reason) for status, reason in found}


def observations(conn: Connection) -> list[tuple[Any, ...]]:
    """The columns in which both must agree: the fact, its time, who did it."""
    return conn.execute(
        """
        SELECT o.source_id, o.source_type, o.occurred_at, a.source_id, w.source_id
        FROM lightfast.observations o
        LEFT JOIN lightfast.actor_identities a ON a.id = o.actor_identity_id
        LEFT JOIN lightfast.actor_identities w ON w.id = o.author_identity_id
        ORDER BY 1, 2
        """
    ).fetchall()


def current_states(conn: Connection) -> list[tuple[Any, ...]]:
    return conn.execute(
        """
        SELECT entity_id, state_type, state_value, valid_from FROM lightfast.temporal_states
        WHERE superseded_at IS NULL ORDER BY 1, 2, 4, 3
        """
    ).fetchall()
