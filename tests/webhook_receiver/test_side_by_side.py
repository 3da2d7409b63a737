"""Several receivers on one database: the same deliveries are stored once, and nobody waits forever."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from lightfast_pipelines.store.database import Database
from lightfast_pipelines.store.deliveries import INSERT_SQL, Delivery, columns
from tests.webhook_receiver.serving import (
    PATIENCE,
    Process,
    count,
    no_session_left,
    port_of,
    signed,
    started_receiver,
    stored_ids,
    until,
)
from webhook_receiver.address import driver_address

IN_ORDER = "ORDER BY provider, delivery_id, event_type, body_sha256, org_id, verified_by"
NOW = datetime(2026, 5, 17, 12, tzinfo=UTC)


def delivery(delivery_id: str) -> Delivery:
    return Delivery(
        provider="github",
        delivery_id=delivery_id,
        event_type="push",
        body=b"{}",
        headers={},
        received_at=NOW,
        partition_date=NOW.date(),
        ingestion_source="webhook",
        verified_by="env:SECRET",
    )


async def insert(connection: Any, sql: str, ids: str) -> int:
    rows = await connection.fetch(sql, *columns([delivery(delivery_id) for delivery_id in ids]))
    return len(rows)


async def waits(database: Database, connection: Any) -> None:
    """Returns when the session waits for another's lock."""
    pid = connection.get_server_pid()

    def is_waiting() -> bool:
        with database.connect(autocommit=True) as conn:
            query = "SELECT FROM pg_locks WHERE pid = %s AND NOT granted"
            return conn.execute(query, (pid,)).fetchone() is not None

    await asyncio.to_thread(until, is_waiting, "it does not wait")


async def insert_in_opposite_orders(database: Database, sql: str) -> list[int | BaseException]:
    """Two sessions insert the same deliveries, each in the midst of it when the other begins.

    A third session holds the middle one until both wait, and then gives it up.
    """
    address = driver_address(database.url("receiver"))
    one, two, third = [await asyncpg.connect(address) for _ in range(3)]
    try:
        holding = third.transaction()
        await holding.start()
        await insert(third, sql, "m")
        inserts = []
        for connection, ids in ((one, "amz"), (two, "zma")):
            inserts.append(asyncio.create_task(insert(connection, sql, ids)))
            await waits(database, connection)
        await holding.rollback()
        return await asyncio.gather(*inserts, return_exceptions=True)
    finally:
        for connection in (one, two, third):
            connection.terminate()


def test_without_an_order_two_commits_of_the_same_deliveries_deadlock(database: Database) -> None:
    """Shows that the next test tries hard enough."""
    assert IN_ORDER in INSERT_SQL
    results = asyncio.run(insert_in_opposite_orders(database, INSERT_SQL.replace(IN_ORDER, "")))
    assert [type(r) for r in results].count(asyncpg.DeadlockDetectedError) == 1
    no_session_left(database)


def test_commits_of_the_same_deliveries_in_opposite_orders_do_not_deadlock(
    database: Database,
) -> None:
    results = asyncio.run(insert_in_opposite_orders(database, INSERT_SQL))
    assert sorted(results, key=str) == [0, 3]
    no_session_left(database)


class Senders:
    """Send every delivery to a receiver until it is answered with 200, many at a time."""

    def __init__(self, ids: Sequence[str]) -> None:
        self.ids = ids
        self.answered: list[str] = []
        self.new: list[str] = []

    def wait_for_more(self, number: int) -> None:
        enough = len(self.answered) + number
        until(lambda: len(self.answered) >= enough, "no load")

    async def send_all(self, port: int, *, backwards: bool) -> None:
        """In blocks, so that two that send in opposite directions meet in each of them."""
        limits = httpx.Limits(max_connections=16)
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", limits=limits, timeout=PATIENCE
        ) as client:
            for start in range(0, len(self.ids), 50):
                block = self.ids[start : start + 50]
                order = reversed(block) if backwards else iter(block)
                await asyncio.gather(*(self._send(client, delivery_id) for delivery_id in order))

    async def _send(self, client: httpx.AsyncClient, delivery_id: str) -> None:
        body = b'{"zen":"%s"}' % delivery_id.encode()
        while True:
            try:
                answer = await client.post(
                    "/webhooks/github", content=body, headers=signed(body, delivery_id)
                )
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.status_code == 200:
                break
            await asyncio.sleep(0.01)
        self.answered.append(delivery_id)
        if not answer.json()["duplicate"]:
            self.new.append(delivery_id)


def test_two_receivers_that_are_killed_meanwhile_store_the_same_deliveries_once(
    database: Database, tmp_path: Path
) -> None:
    senders = Senders([f"id-{number}" for number in range(600)])

    def started(stack: ExitStack, name: str, port: str) -> Process:
        folder = tmp_path / name
        folder.mkdir()
        environment = {"LIGHTFAST_RECEIVER_PORT": port}
        return stack.enter_context(started_receiver(database, folder, environment))

    with ExitStack() as stack:
        running = [started(stack, name, "0") for name in ("one", "two")]
        ports = [port_of(process.client) for process in running]

        async def send_to_both() -> None:
            await asyncio.gather(
                senders.send_all(ports[0], backwards=False),
                senders.send_all(ports[1], backwards=True),
            )

        load = threading.Thread(target=lambda: asyncio.run(send_to_both()))
        load.start()
        for process, name, port in zip(running, ("third", "fourth"), ports, strict=True):
            senders.wait_for_more(150)
            process.popen.kill()
            process.popen.wait()
            started(stack, name, str(port))
        load.join(PATIENCE)
    no_session_left(database)
    assert sorted(senders.answered) == sorted([*senders.ids, *senders.ids])
    # What a killed receiver had committed and not answered is a duplicate when it is sent again.
    assert len(senders.new) == len(set(senders.new))
    assert stored_ids(database) == set(senders.ids)
    assert count(database) == count(database, "raw_queue") == len(senders.ids)
