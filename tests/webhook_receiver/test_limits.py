"""Too large, too slow, too many: one client must not stop the others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lightfast_pipelines.store.database import Database
from tests.webhook_receiver.serving import (
    Stub,
    count,
    deliver,
    everything_from,
    raw_request,
    ready_receiver,
    signed,
)
from webhook_receiver.limits import Limits


def in_pieces(*pieces: bytes) -> Iterator[bytes]:
    """Sent in chunks, without a Content-Length."""
    yield from pieces


def test_a_body_over_the_limit_gets_413_and_is_not_hashed(database: Database) -> None:
    stub = Stub()
    limits = Limits(max_body_bytes=1000)
    with ready_receiver(database.url("receiver"), stub=stub, limits=limits) as client:
        at_limit = client.post("/webhooks/stub", content=b"x" * 1000, headers={"x-id": "1"})
        assert at_limit.status_code == 200
        assert client.post("/webhooks/stub", content=b"x" * 1001).status_code == 413
        chunked = client.post("/webhooks/stub", content=in_pieces(b"x" * 600, b"x" * 600))
        assert chunked.status_code == 413
    assert stub.seen == [1000]


def test_a_body_with_too_large_a_length_gets_413_before_it_is_sent(database: Database) -> None:
    head = "POST /webhooks/github HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999\r\n\r\n"
    with ready_receiver(database.url("receiver")) as client, raw_request(client, head) as conn:
        assert conn.recv(100).startswith(b"HTTP/1.1 413")


def test_a_client_that_is_still_sending_reads_its_413(database: Database) -> None:
    """Closing with unread bytes would reset the connection and lose the answer."""
    limits = Limits(max_body_bytes=1000)
    with ready_receiver(database.url("receiver"), limits=limits) as client:
        for _ in range(5):
            answer = client.post("/webhooks/github", content=b"x" * 8_000_000)
            assert (answer.status_code, answer.headers["connection"]) == (413, "close")


def test_a_slow_client_gets_408_while_others_are_served(database: Database) -> None:
    limits = Limits(body_timeout_seconds=0.4)
    head = "POST /webhooks/github HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc"
    with ready_receiver(database.url("receiver"), limits=limits) as client:
        slow = [raw_request(client, head) for _ in range(20)]
        assert deliver(client).status_code == 200
        for connection in slow:
            with connection:
                assert everything_from(connection).startswith(b"HTTP/1.1 408")
        assert deliver(client, delivery_id="two").status_code == 200
    assert count(database) == 2


@pytest.mark.parametrize("head", ["", "POST /webhooks/gi", "POST / HTTP/1.1\r\nx: y\r\n"])
def test_a_client_that_never_ends_its_headers_is_closed(database: Database, head: str) -> None:
    with (
        ready_receiver(database.url("receiver"), limits=Limits(head_seconds=0.3)) as client,
        raw_request(client, head) as connection,
    ):
        assert everything_from(connection).startswith(b"HTTP/1.1 408")
        assert deliver(client).status_code == 200


def test_headers_without_end_are_refused(database: Database) -> None:
    head = "POST /webhooks/github HTTP/1.1\r\n" + "".join(f"x-{n}: y\r\n" for n in range(9000))
    with ready_receiver(database.url("receiver")) as client, raw_request(client, head) as conn:
        assert conn.recv(100).startswith(b"HTTP/1.1 431")


def test_a_body_over_a_megabyte_is_stored_like_any_other(database: Database) -> None:
    body = b'{"text":"' + b"x" * 3_000_000 + b'"}'
    with ready_receiver(database.url("receiver")) as client:
        assert deliver(client, body).status_code == 200
        forged = client.post("/webhooks/github", content=body + b" ", headers=signed(body))
        assert forged.status_code == 401
    with database.connect() as conn:
        assert conn.execute("SELECT body FROM lightfast.raw_bodies").fetchall() == [(body,)]
