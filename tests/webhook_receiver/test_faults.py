"""A fault in one delivery, or in the code that reads it, affects no other delivery."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from lightfast_pipelines.providers.webhook_contract import Refused, Secret
from lightfast_pipelines.store.database import Database
from tests.webhook_receiver.serving import (
    PATIENCE,
    SECRET,
    Stub,
    count,
    deliver,
    port_of,
    raw_request,
    ready_receiver,
    signed,
    stored_ids,
    until,
)
from webhook_receiver import logs
from webhook_receiver.app import create_app
from webhook_receiver.framing import parse_head
from webhook_receiver.limits import LARGE_BODY, Limits
from webhook_receiver.request import Request

MARK = "very-private-words"


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What the process logs, as the receiver's own configuration writes it."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure("INFO", stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)


def lines(written: io.StringIO) -> list[dict[str, object]]:
    logs.flush()
    return [json.loads(line) for line in written.getvalue().splitlines()]


def test_a_provider_that_raises_causes_500_and_nothing_else(
    database: Database, written: io.StringIO
) -> None:
    with ready_receiver(database.url("receiver"), stub=Stub()) as client:
        answers = [
            client.post("/webhooks/stub", content=MARK.encode(), headers={"x-raise": "1"})
            for _ in range(3)
        ]
        assert [a.status_code for a in answers] == [500] * 3
        assert client.post("/webhooks/stub", content=b"x", headers={"x-id": "1"}).status_code == 200
    number = answers[0].json()["id"]
    told = [line for line in lines(written) if line.get("id") == number]
    assert {line["event"] for line in told} == {"unexpected error", "delivery"}
    assert any("RuntimeError" in str(line.get("error")) for line in told)
    assert MARK not in written.getvalue()
    assert MARK not in answers[0].text


def test_each_delivery_is_one_line_without_body_signature_or_secret(
    database: Database, written: io.StringIO
) -> None:
    body = json.dumps({"zen": MARK}).encode()
    headers = signed(body, "id-1")
    with ready_receiver(database.url("receiver")) as client:
        client.post("/webhooks/github", content=body, headers=headers)
        client.post("/webhooks/github", content=body + b" ", headers=headers)
        client.post("/webhooks/other", content=body, headers=headers)
    told = [line for line in lines(written) if line["event"] == "delivery"]
    assert [line["status"] for line in told] == [200, 401, 404]
    assert told[0]["delivery_id"] == "id-1"
    text = written.getvalue()
    for hidden in (MARK, SECRET, headers["x-hub-signature-256"].partition("=")[2]):
        assert hidden not in text


def test_a_delivery_that_the_database_refuses_does_not_affect_others_in_its_batch(
    database: Database, written: io.StringIO
) -> None:
    """A NUL is what Postgres never takes; here it gets past the door on purpose."""

    async def together(port: int) -> list[int]:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            answers = await asyncio.gather(
                *(
                    client.post(
                        "/webhooks/stub",
                        content=b"x",
                        headers={"x-id": str(n), "x-verified-by": "NUL" if n % 10 == 0 else "ok"},
                    )
                    for n in range(60)
                )
            )
            return [a.status_code for a in answers]

    with ready_receiver(database.url("receiver"), stub=Stub()) as client:
        statuses = asyncio.run(together(port_of(client)))
    assert statuses == [500 if n % 10 == 0 else 200 for n in range(60)]
    assert stored_ids(database) == {str(n) for n in range(60) if n % 10}
    assert not [line for line in lines(written) if line["event"] == "database away"]


def test_an_id_too_long_for_the_index_is_refused(database: Database) -> None:
    with ready_receiver(database.url("receiver"), stub=Stub()) as client:
        answer = client.post("/webhooks/stub", content=b"x", headers={"x-id": "x" * 1001})
    assert (answer.status_code, count(database)) == (400, 0)


def test_a_client_that_hangs_up_leaves_only_a_log_line(
    database: Database, written: io.StringIO
) -> None:
    head = "POST /webhooks/github HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc"
    with ready_receiver(database.url("receiver")) as client:
        raw_request(client, head).close()
        until(lambda: [x for x in lines(written) if x.get("status") == 499], "no line")
        assert deliver(client).status_code == 200
    assert count(database) == 1
    assert {line["level"] for line in lines(written)} == {"info"}


def test_bytes_that_are_not_http_are_refused(database: Database) -> None:
    with ready_receiver(database.url("receiver")) as client:
        for head in ("\x00\x01\r\n\r\n", "POST /\xff HTTP/1.1\r\n\r\n", "GET\r\n\r\n"):
            with raw_request(client, head) as connection:
                assert connection.recv(100).startswith(b"HTTP/1.1 400")
        assert deliver(client).status_code == 200


class Blocking(Stub):
    """A provider that takes until the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.has_begun, self.may_end = threading.Event(), threading.Event()

    def accept(self, *_: Any, **__: Any) -> Refused:
        self.has_begun.set()
        assert self.may_end.wait(PATIENCE)
        return Refused(400, "nobody waits for this answer")


class Nobody:
    """A sender of whom nothing is known."""

    address = "unknown"

    def verified(self) -> None: ...


def test_a_request_that_is_cancelled_is_not_logged_as_answered(written: io.StringIO) -> None:
    stub = Blocking()
    secrets = {"stub": [Secret("x", b"x")]}
    webhooks = create_app(
        dsn="postgresql://nowhere", providers={"stub": stub}, secrets=secrets
    ).webhooks
    head = parse_head(b"POST /webhooks/stub HTTP/1.1\r\n\r\n", Limits())
    large = b"x" * (LARGE_BODY + 1)

    async def cancel_while_it_verifies() -> None:
        request = Request(head, head.path, large, Nobody(), time.monotonic())
        answering = asyncio.create_task(webhooks.answer(request))
        assert await asyncio.to_thread(stub.has_begun.wait, PATIENCE)
        answering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await answering
        stub.may_end.set()

    asyncio.run(cancel_while_it_verifies())
    [line] = [line for line in lines(written) if line["event"] == "delivery"]
    assert (line["status"], line["reason"]) == (499, "ended before it was answered")
