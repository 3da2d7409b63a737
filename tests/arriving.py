"""Deliveries of one linked repository, for tests of stages after the receiver."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time

from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.deliveries import Delivery, insert_deliveries
from lightfast_pipelines.store.linked_resources import add_workspace, link_resource
from tests.providers.github.payloads import encoded, pull_request

REPOSITORY = 1


def link(conn: Connection) -> None:
    """A workspace that wants the repository."""
    workspace = add_workspace(conn, "shop")
    link_resource(conn, workspace, "github", str(REPOSITORY), name="acme/shop")
    conn.commit()


def arrive(conn: Connection, days: Iterable[date], *, each: int = 1, first: int = 1) -> int:
    """Opens `each` pull requests on every day, numbered from `first`; returns how many were stored."""
    deliveries = []
    number = first
    for day in days:
        for _ in range(each):
            at = f"{day.isoformat()}T10:00:00Z"
            body = encoded(pull_request(number=number, created_at=at, title=f"Change {number}"))
            deliveries.append(
                Delivery(
                    provider="github",
                    delivery_id=f"delivery-{number}",
                    event_type="pull_request",
                    body=body,
                    headers={},
                    received_at=datetime.combine(day, time(10), UTC),
                    partition_date=day,
                    ingestion_source="webhook",
                    verified_by="env:GITHUB_WEBHOOK_SECRET",
                )
            )
            number += 1
    stored = insert_deliveries(conn, deliveries)
    conn.commit()
    return stored


def count(conn: Connection, table: str) -> int:
    """The number of committed rows of a table."""
    row = conn.execute(f"SELECT count(*) FROM lightfast.{table}").fetchone()
    conn.rollback()
    return int(row[0]) if row else 0
