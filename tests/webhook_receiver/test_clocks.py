"""A receiver whose clock is wrong stores deliveries where a run finds them, and says so."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest

from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.installations import add_installation
from tests.capture.deliveries import capture_all, one
from tests.capture.provider_deliveries import linked
from tests.providers.github import payloads as github
from tests.webhook_receiver.serving import ready_receiver, signed


def _ahead(days: int) -> Callable[[], datetime]:
    return lambda: datetime.now(UTC) + timedelta(days=days)


def _stored(conn: Connection) -> tuple[datetime, date, date]:
    """When a delivery was received, on which day it waits, and the database's today."""
    query = """
        SELECT p.received_at, q.partition_date, (now() AT TIME ZONE 'UTC')::date
        FROM lightfast.raw_payloads p JOIN lightfast.raw_queue q ON q.raw_payload_id = p.id
    """
    received_at, day, today = one(conn, query)
    assert one(conn, "SELECT count(*) FROM lightfast.raw_bodies WHERE received_at <= now()") == 1
    return received_at, day, today


@pytest.mark.parametrize("days", [2, 400, 20_000])
def test_a_receiver_whose_clock_is_ahead_stores_no_delivery_in_the_future(
    database: Database, conn: Connection, days: int
) -> None:
    body = json.dumps(github.ping()).encode()
    with ready_receiver(database.url("receiver"), clock=_ahead(days)) as client:
        assert client.post("/webhooks/github", content=body, headers=signed(body)).is_success
        said = client.get("/readyz").json()
    assert said["clock"] == f"this machine's clock is {days} days ahead of the database's"
    received_at, day, today = _stored(conn)
    assert day <= today
    assert received_at < datetime.now(UTC) + timedelta(days=1)


def test_a_receiver_whose_clock_is_behind_says_so_and_stores_on_the_first_day(
    database: Database, conn: Connection
) -> None:
    start = date(2024, 1, 1)
    body = json.dumps(github.ping()).encode()
    with ready_receiver(
        database.url("receiver"),
        clock=lambda: datetime(1970, 1, 2, tzinfo=UTC),
        partitions_start=start,
    ) as client:
        assert client.post("/webhooks/github", content=body, headers=signed(body)).is_success
        assert "behind the database's" in client.get("/readyz").json()["clock"]
    assert _stored(conn)[1] == start


def test_clocks_that_agree_are_not_mentioned(database: Database) -> None:
    with ready_receiver(database.url("receiver")) as client:
        assert client.get("/readyz").json() == {"ready": True}


def test_a_removal_received_under_a_wrong_clock_is_undone_by_later_deliveries(
    database: Database, conn: Connection
) -> None:
    linked(conn, "shop", ("github", "1"))
    add_installation(conn, "github", "7", org_id="default")
    conn.commit()
    for action, days in (("removed", 400), ("added", 0)):
        listed = [{"id": 1, "name": "shop", "full_name": "acme/shop"}]
        body = json.dumps(
            {
                "action": action,
                "installation": {"id": 7},
                "repositories_added": listed if action == "added" else [],
                "repositories_removed": listed if action == "removed" else [],
                "sender": github.user(),
            }
        ).encode()
        headers = {**signed(body, action), "x-github-event": "installation_repositories"}
        with ready_receiver(database.url("receiver"), clock=_ahead(days)) as client:
            assert client.post("/webhooks/github", content=body, headers=headers).is_success
    capture_all(conn)
    assert one(conn, "SELECT status FROM lightfast.resources") == "active"
