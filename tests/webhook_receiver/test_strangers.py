"""Strangers, who have no secret: what they send is bounded, and honest deliveries get through.

Raw sockets: no client library would send these. How it holds under load is for `bench.attack`.
"""

from __future__ import annotations

import io
import json
import logging
import socket
import struct
import threading
from contextlib import ExitStack
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx
import pytest

from lightfast_pipelines.providers.webhook_contract import Accepted, Refused
from lightfast_pipelines.store.database import Database
from tests.webhook_receiver.serving import (
    PATIENCE,
    Stub,
    deliver,
    everything_from,
    raw_request,
    ready_receiver,
    receiver_process,
    until,
)
from webhook_receiver.limits import LARGE_BODY, Limits
from webhook_receiver.logs import BatchingHandler, JsonFormatter, log_refusal
from webhook_receiver.room import Room, address_group

POST = "POST /webhooks/github HTTP/1.1\r\nhost: x\r\n"
CHUNKED = POST + "transfer-encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (CHUNKED + "0\r\n" + "t: y\r\n" * 2000, b"431"),
        (CHUNKED + "0\r\nt: " + "y" * 9000, b"431"),
        (CHUNKED + "1;" + "e" * 9000, b"431"),
        (CHUNKED + "1\r\nx\r\n" * 3000, b"400"),
        (CHUNKED + "0" * 9000, b"431"),
        (POST + "x: y\r\n" * 500 + "\r\n", b"431"),
        (POST + "x: " + "y" * 60_000, b"431"),
        ("\r\n" * 100, b"400"),
        (f"POST /webhooks/github/{'n' * 20_000} HTTP/1.1\r\nhost: x\r\n\r\n", b"414"),
        (f"POST /webhooks/github/{'n' * 60_000} HTTP/1.1\r\nhost: x\r\n\r\n", b"431"),
    ],
    ids=[
        "trailers",
        "one trailer",
        "chunk extension",
        "chunks of a byte",
        "chunk size",
        "headers",
        "one header",
        "blank lines",
        "installation",
        "larger installation",
    ],
)
def test_endless_requests_are_refused_early(database: Database, sent: str, status: bytes) -> None:
    with ready_receiver(database.url("receiver")) as client:
        with raw_request(client, sent) as connection:
            assert connection.recv(100).split()[1] == status
        assert deliver(client).status_code == 200


@pytest.mark.parametrize(
    "framing",
    [
        "content-length: 2\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 2\r\n",
        "content-length: 2\r\ncontent-length: 3\r\n",
        "content-length: +2\r\n",
        "content-length : 2\r\n",
        " content-length: 2\r\n",
        "transfer-encoding : chunked\r\n",
        "transfer-encoding: chunked\nx: y\r\n",
        "x: y\rcontent-length: 2\r\n",
    ],
)
def test_a_length_that_two_servers_could_read_in_two_ways_is_refused(
    database: Database, framing: str
) -> None:
    with (
        ready_receiver(database.url("receiver")) as client,
        raw_request(client, f"{POST}{framing}\r\n{{}}") as connection,
    ):
        assert everything_from(connection).startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize(
    "sent",
    [
        "\r\n",
        "\r\n" + POST,
        POST + "content-length: 10\r\n\r\nabc",
        CHUNKED + "3\r\nab",
        CHUNKED + "0\r\nt: y\r\n",
        "POST /healthz HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc",
        "PUT /no/such/path HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\n",
        "GET /readyz HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n",
    ],
)
def test_unfinished_requests_are_ended_in_time(database: Database, sent: str) -> None:
    limits = Limits(head_seconds=0.2, body_timeout_seconds=0.2)
    with (
        ready_receiver(database.url("receiver"), limits=limits) as client,
        raw_request(client, sent) as connection,
    ):
        assert everything_from(connection).startswith(b"HTTP/1.1 408")
        assert deliver(client).status_code == 200


def test_a_body_that_arrives_too_slowly_is_ended_early(database: Database) -> None:
    limits = Limits(body_timeout_seconds=3600, stall_seconds=0.2, min_bytes_per_second=1000)
    with (
        ready_receiver(database.url("receiver"), limits=limits) as client,
        raw_request(client, POST + "content-length: 99999\r\n\r\n" + "x" * 50) as connection,
    ):
        assert everything_from(connection).startswith(b"HTTP/1.1 408")


def test_no_client_is_late_because_the_receiver_was_busy(database: Database) -> None:
    now = [0.0]
    is_to_stop, has_stopped, may_go_on = threading.Event(), threading.Event(), threading.Event()

    def clock() -> float:
        if is_to_stop.is_set():
            is_to_stop.clear()
            has_stopped.set()
            may_go_on.wait(PATIENCE)
        return now[0]

    request = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
    with (
        ready_receiver(database.url("receiver"), room=Room(Limits(), clock=clock)) as client,
        raw_request(client, request) as connection,
    ):
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
        is_to_stop.set()
        assert has_stopped.wait(PATIENCE)
        connection.sendall(request.encode())
        now[0] += 100
        may_go_on.set()
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")


def test_half_a_body_of_a_half_closed_connection_is_dropped(database: Database) -> None:
    with (
        ready_receiver(database.url("receiver")) as client,
        raw_request(client, POST + "content-length: 99999\r\n\r\nx") as connection,
    ):
        connection.shutdown(1)
        assert everything_from(connection) == b""


def test_waiting_connections_make_room_for_deliveries(database: Database) -> None:
    room = Room(Limits(max_connections=8, max_connections_per_address=0))
    with ready_receiver(database.url("receiver"), room=room) as client, ExitStack() as idle:
        for number in range(30):
            idle.enter_context(raw_request(client, "" if number % 2 else POST))
        for number in range(10):
            # The places are all taken: each sender comes by a connection of its own.
            sender = idle.enter_context(httpx.Client(base_url=client.base_url))
            assert deliver(sender, delivery_id=str(number)).status_code == 200


def test_one_address_holds_no_more_connections_than_its_share(database: Database) -> None:
    room = Room(Limits(max_connections_per_address=4))
    with ready_receiver(database.url("receiver"), room=room) as client, ExitStack() as opened:
        idle = [opened.enter_context(raw_request(client, "")) for _ in range(10)]
        # The client's own and the last three: the others are ended, the oldest first.
        for connection in idle[:6]:
            assert everything_from(connection) == b""
        assert deliver(client).status_code == 200


def test_bytes_of_waiting_requests_make_room_for_deliveries(database: Database) -> None:
    limits = Limits(max_inflight_bytes=400_000, max_body_bytes=90_000)
    dawdling = POST + "content-length: 50001\r\n\r\n" + "x" * 50_000
    with ready_receiver(database.url("receiver"), limits=limits) as client, ExitStack() as opened:
        held = [opened.enter_context(raw_request(client, dawdling)) for _ in range(20)]
        body = b'{"zen":"' + b"x" * 80_000 + b'"}'
        assert deliver(client, body).status_code == 200
        assert everything_from(held[0]).startswith(b"HTTP/1.1 503")


def test_announced_bytes_take_no_room(database: Database) -> None:
    limits = Limits(max_inflight_bytes=400_000, max_body_bytes=300_000)
    promise = POST + "content-length: 299999\r\n\r\nx"
    with ready_receiver(database.url("receiver"), limits=limits) as client, ExitStack() as opened:
        for _ in range(20):
            opened.enter_context(raw_request(client, promise))
        assert deliver(client, b'{"zen":"' + b"x" * 200_000 + b'"}').status_code == 200


class Slow(Stub):
    """A provider that looks at a body until it is told to end."""

    def __init__(self) -> None:
        super().__init__()
        self.may_end = threading.Event()

    def accept(self, body: bytes, *args: Any, **options: Any) -> Accepted | Refused:
        answer = super().accept(body, *args, **options)
        assert self.may_end.wait(PATIENCE)
        return answer


def test_a_body_takes_room_until_it_is_answered_though_its_sender_is_gone(
    database: Database,
) -> None:
    size = LARGE_BODY + 1
    room = Room(Limits(max_inflight_bytes=3 * size, max_body_bytes=size))
    metrics, slow = room.metrics, Slow()

    def shown(position: int) -> float:
        return metrics.cells[position]

    with ready_receiver(database.url("receiver"), stub=slow, room=room) as client:
        head = f"POST /webhooks/stub HTTP/1.1\r\ncontent-length: {size}\r\n\r\n"
        sender = raw_request(client, head + "x" * size)
        until(lambda: slow.seen and shown(metrics.layout.connections) == 2, "it did not arrive")
        # The client is gone at once, not only with its sending half.
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sender.close()
        until(lambda: shown(metrics.layout.connections) == 1, "it did not leave")
        try:
            assert client.post("/webhooks/stub", content=b"x" * size).status_code == 503
        finally:
            slow.may_end.set()
        until(lambda: shown(metrics.layout.inflight_bytes) == 0, "its room was not given back")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/webhooks/none", 404),
        ("PUT", "/webhooks/github", 405),
        ("POST", "/webhooks/github/none", 404),
        ("POST", "/healthz", 405),
        ("GET", "/healthz", 200),
        ("POST", "/none", 404),
    ],
)
def test_a_body_that_nothing_reads_is_dropped(
    database: Database, method: str, path: str, status: int
) -> None:
    """The next request on the connection begins after it, and no route gets to see it."""
    body = "GET /no HTTP/1.1\r\n\r\n"
    request = f"{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n{body}"
    last = "GET /readyz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    with (
        ready_receiver(database.url("receiver")) as client,
        raw_request(client, request + last) as connection,
    ):
        answers = everything_from(connection).split(b"HTTP/1.1 ")[1:]
    assert [answer[:3] for answer in answers] == [b"%d" % status, b"200"]


def test_pipelined_requests_are_answered_in_order(database: Database) -> None:
    alive = "GET /healthz HTTP/1.1\r\nhost: x\r\n"
    chunked = (
        "POST /none HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"
    )
    sent = f"{alive}\r\n{chunked}{alive}\r\n{alive}connection: close\r\n\r\n"
    with (
        ready_receiver(database.url("receiver")) as client,
        raw_request(client, sent) as connection,
    ):
        answers = everything_from(connection).split(b"HTTP/1.1 ")[1:]
    assert [answer[:3] for answer in answers] == [b"200", b"404", b"200", b"200"]


def test_a_flood_of_refusals_leaves_few_and_short_lines(database: Database, tmp_path: Path) -> None:
    with receiver_process(database, tmp_path) as process:
        before = process.log.stat().st_size
        for number in range(300):
            name = f"{number}" + "n" * 1500
            answer = process.client.post(f"/webhooks/github/{name}", content=b"{}")
            assert answer.status_code == 404
        process.client.post("/webhooks/github/" + "n" * 20_000, content=b"{}")
        assert deliver(process.client).status_code == 200
        assert process.log.stat().st_size - before < 100_000


def test_refusals_for_many_reasons_from_many_addresses_are_counted() -> None:
    stream, now = io.StringIO(), [0.0]
    handler = BatchingHandler(stream, lambda: now[0])
    log = logging.Logger("refusals")  # noqa: LOG001 - must not reach the root's handlers
    log.addHandler(handler)
    for number in range(10_000):
        log_refusal(log, f"10.0.{number % 200}.1", {"status": 401, "reason": "x" * (number % 999)})
    handler.flush()
    shown = stream.getvalue().count("\n")
    now[0] = 60.0
    handler.flush()
    counted = stream.getvalue().count("\n") - shown
    assert shown <= 50
    assert counted <= 21


def test_only_a_trusted_proxy_may_name_the_sender() -> None:
    room = Room(Limits(), trusted_proxies=[ip_network("10.0.0.0/8"), ip_network("fd00::/8")])
    assert room.is_trusted("10.1.2.3")
    assert room.is_trusted("::ffff:10.1.2.3")
    assert not room.is_trusted("192.0.2.1")
    assert room.sender_of("10.1.2.3", ["203.0.113.9", "192.0.2.1", "10.9.9.9"]) == "192.0.2.1"
    assert room.sender_of("10.1.2.3", []) == "10.1.2.3"
    assert not Room(Limits()).is_trusted("127.0.0.1")


def test_the_addresses_of_one_ipv6_customer_count_as_one() -> None:
    assert address_group("2001:db8:1:2::1") == address_group("2001:db8:1:2:ffff::9")
    assert address_group("2001:db8:1:3::1") != address_group("2001:db8:1:2::1")
    assert address_group("::ffff:192.0.2.1") == "192.0.2.1"


def test_a_log_line_holds_no_terminal_escapes_and_is_the_same_json() -> None:
    sent = "\x1b[2J\x9b2J\u202egpj.exe\u2066\x7f\x85 ä漢😀"
    written = io.StringIO()
    handler = BatchingHandler(written)
    handler.setFormatter(JsonFormatter())
    record = logging.makeLogRecord({"msg": sent, "levelno": logging.INFO})
    record.fields = {"path": sent}
    handler.emit(record)
    handler.flush()
    line = written.getvalue().removesuffix("\n")
    assert line.isprintable()
    assert (json.loads(line)["event"], json.loads(line)["path"]) == (sent, sent)
