"""Too large, too slow, too many: what one client may take must not stop the others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

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
    until,
)
from webhook_receiver.limits import LARGE_BODY, Budget, Limits
from webhook_receiver.protocol import BoundedHeadProtocol


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


def test_413_comes_before_the_body_where_its_length_is_announced(database: Database) -> None:
    head = "POST /webhooks/github HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999\r\n\r\n"
    with ready_receiver(database.url("receiver")) as client, raw_request(client, head) as conn:
        assert conn.recv(100).startswith(b"HTTP/1.1 413")


def test_a_client_that_is_still_sending_sees_its_413(database: Database) -> None:
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


class QuickHead(BoundedHeadProtocol):
    head_seconds = 0.3


@pytest.mark.parametrize("head", ["", "POST /webhooks/gi", "POST / HTTP/1.1\r\nx: y\r\n"])
def test_a_client_that_never_ends_its_headers_is_closed(database: Database, head: str) -> None:
    with (
        ready_receiver(database.url("receiver"), protocol=QuickHead) as client,
        raw_request(client, head) as connection,
    ):
        assert everything_from(connection).startswith(b"HTTP/1.1 408")
        assert deliver(client).status_code == 200


def test_headers_without_end_are_refused(database: Database) -> None:
    head = "POST /webhooks/github HTTP/1.1\r\n" + "".join(f"x-{n}: y\r\n" for n in range(9000))
    with ready_receiver(database.url("receiver")) as client, raw_request(client, head) as conn:
        assert conn.recv(100).startswith(b"HTTP/1.1 431")


def test_bytes_over_the_budget_get_503_until_there_is_room(database: Database) -> None:
    limits = Limits(max_inflight_bytes=50_000)
    body = b'{"text":"' + b"x" * 30_000 + b'"}'
    half_sent = (
        "POST /webhooks/github HTTP/1.1\r\nhost: x\r\ncontent-length: 40001\r\n\r\n" + "x" * 40_000
    )
    with ready_receiver(database.url("receiver"), limits=limits) as client, ExitStack() as open_:

        def refused() -> bool:
            # Again each time: an unfinished body that met a whole one was itself refused.
            open_.enter_context(raw_request(client, half_sent))
            answer = deliver(client, body)
            if answer.status_code == 503:
                assert int(answer.headers["retry-after"]) >= 1
            return answer.status_code == 503

        until(refused, "the bytes of the unfinished body were not counted")
        open_.close()
        # The other client hung up: its bytes are given back, nothing of it is stored.
        until(lambda: deliver(client, body).status_code == 200, "the budget was not given back")
    assert count(database) == 1


def test_an_announced_length_takes_nothing_from_the_budget(database: Database) -> None:
    limits = Limits(max_inflight_bytes=50_000)
    head = "POST /webhooks/github HTTP/1.1\r\nhost: x\r\ncontent-length: 40000\r\n\r\n"
    with ready_receiver(database.url("receiver"), limits=limits) as client:
        idle = [raw_request(client, head) for _ in range(10)]
        assert deliver(client, b'{"text":"' + b"x" * 40_000 + b'"}').status_code == 200
        for connection in idle:
            connection.close()


def test_large_bodies_leave_room_for_small_ones() -> None:
    budget = Budget(4 * LARGE_BODY)
    assert budget.take(3 * LARGE_BODY, 0)
    assert not budget.take(1, LARGE_BODY)
    assert budget.take(LARGE_BODY, 0)
    assert not budget.take(1, 0)
    budget.give_back(LARGE_BODY)
    assert budget.take(1, 0)


def test_a_body_over_a_megabyte_is_stored_like_any_other(database: Database) -> None:
    body = b'{"text":"' + b"x" * 3_000_000 + b'"}'
    with ready_receiver(database.url("receiver")) as client:
        assert deliver(client, body).status_code == 200
        forged = client.post("/webhooks/github", content=body + b" ", headers=signed(body))
        assert forged.status_code == 401
    with database.connect() as conn:
        assert conn.execute("SELECT body FROM lightfast.raw_bodies").fetchall() == [(body,)]
