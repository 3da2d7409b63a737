"""Sends one flood of unsigned requests from loopback addresses, as a stranger could.

A process of its own, started by `bench.attack`: `python -m bench.attack_floods NAME --port N`.
Time, connections, requests and bytes per second are bounded; the same seed sends the same bytes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import resource
import socket
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

CONNECTIONS = 1100
REQUESTS_PER_SECOND = 400
BYTES_PER_SECOND = 24_000_000
PIECE = 64 * 1024

POST = b"POST /webhooks/github HTTP/1.1\r\nhost: x\r\n"
CHUNKED = POST + b"transfer-encoding: chunked\r\n\r\n"


@dataclass
class Attacker:
    """Where the flood goes to, where it comes from, and when it ends."""

    port: int
    sources: list[str]
    chance: random.Random
    ends_at: float
    counts: Counter[str]

    def is_over(self) -> bool:
        return time.monotonic() > self.ends_at

    async def connect(self) -> socket.socket:
        connection = socket.socket()
        connection.setblocking(False)
        try:
            connection.bind((self.chance.choice(self.sources), 0))
            await asyncio.wait_for(
                asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", self.port)), 5
            )
        except BaseException:
            connection.close()
            raise
        self.counts["connections"] += 1
        return connection

    async def send(self, connection: socket.socket, data: bytes) -> None:
        await asyncio.wait_for(asyncio.get_running_loop().sock_sendall(connection, data), 10)
        self.counts["bytes"] += len(data)

    async def wait_for_end(self, connection: socket.socket, seconds: float) -> None:
        """Waits until the receiver closes the connection, at most this long."""
        try:
            async with asyncio.timeout(min(seconds, max(self.ends_at - time.monotonic(), 0.01))):
                while await asyncio.get_running_loop().sock_recv(connection, 4096):
                    self.counts["answers"] += 1
        except TimeoutError:
            self.counts["still open"] += 1

    def nap(self, seconds: float) -> Awaitable[None]:
        return asyncio.sleep(min(seconds, max(self.ends_at - time.monotonic(), 0.01)))


Visit = Callable[[Attacker, socket.socket], Awaitable[None]]


@dataclass
class Flood:
    """`connections` at a time, each of which repeats `visit`."""

    about: str
    visit: Visit
    connections: int


def endless(begin: bytes, piece: Callable[[random.Random], bytes], connections: int) -> Visit:
    """Never stops sending; all connections together send BYTES_PER_SECOND."""

    async def visit(attacker: Attacker, connection: socket.socket) -> None:
        await attacker.send(connection, begin)
        while not attacker.is_over():
            data = piece(attacker.chance)
            await attacker.send(connection, data)
            await attacker.nap(len(data) * connections / BYTES_PER_SECOND)

    return visit


def dripping(
    begin: bytes | Callable[[random.Random], bytes], drop: bytes, seconds: float = 1.0
) -> Visit:
    """Sends `begin`, and then a little every second for as long as possible."""

    async def visit(attacker: Attacker, connection: socket.socket) -> None:
        await attacker.send(
            connection, begin if isinstance(begin, bytes) else begin(attacker.chance)
        )
        while not attacker.is_over():
            await attacker.nap(seconds)
            await attacker.send(connection, drop)

    return visit


def silent(begin: bytes = b"") -> Visit:
    async def visit(attacker: Attacker, connection: socket.socket) -> None:
        if begin:
            await attacker.send(connection, begin)
        await attacker.wait_for_end(connection, 3600)

    return visit


def asking(request: Callable[[random.Random], bytes], seconds: float = 0.0) -> Visit:
    """Sends one request per connection, and then nothing for `seconds`."""

    async def visit(attacker: Attacker, connection: socket.socket) -> None:
        await attacker.send(connection, request(attacker.chance))
        await attacker.nap(seconds)
        await attacker.wait_for_end(connection, 1.0)

    return visit


async def half_closed(attacker: Attacker, connection: socket.socket) -> None:
    await attacker.send(connection, POST + b"content-length: 100000\r\n\r\nxyz")
    connection.shutdown(socket.SHUT_WR)
    await attacker.wait_for_end(connection, 3600)


async def unread(attacker: Attacker, connection: socket.socket) -> None:
    """Sends a large body to a path that uses none, and then nothing."""
    await attacker.nap(attacker.chance.random() * 9)  # together BYTES_PER_SECOND
    path = attacker.chance.choice((b"/none", b"/healthz", b"/webhooks/none"))
    await attacker.send(
        connection,
        b"POST %s HTTP/1.1\r\nhost: x\r\ncontent-length: 8000000\r\n\r\n" % path + b"x" * 8_000_000,
    )
    await attacker.wait_for_end(connection, 3600)


async def churn(attacker: Attacker, _: socket.socket) -> None:
    await attacker.nap(attacker.chance.random() * 0.1)


def word(chance: random.Random, length: int) -> bytes:
    return bytes(chance.choices(b"abcdefghijklmnopqrstuvwxyz0123456789", k=length))


def unsigned(size: int) -> Callable[[random.Random], bytes]:
    body = b'{"text":"' + b"x" * (size - 11) + b'"}'
    return lambda chance: (
        POST
        + b"x-hub-signature-256: sha256=%s\r\nx-github-delivery: %s\r\nx-github-event: push\r\n"
        b"content-length: %d\r\n\r\n" % (word(chance, 64), word(chance, 20), size) + body
    )


def path(length: int) -> Callable[[random.Random], bytes]:
    return lambda chance: (
        b"POST /webhooks/github/%s HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}"
        % word(chance, length)
    )


def unfinished(chance: random.Random) -> bytes:
    size = chance.choice((2_000, 20_000, 200_000, 900_000))
    return POST + b"content-length: %d\r\n\r\n" % (size + 1000) + b"x" * size


def odd(chance: random.Random) -> bytes:
    """One of many malformed requests."""
    return chance.choice(
        [
            POST + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            POST + b"content-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
            POST + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            b"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
            POST + b"expect: 100-continue\r\ncontent-length: 20000000\r\n\r\n",
            POST + b"content-length: 99999999999999999\r\n\r\n",
            b"CONNECT x:1 HTTP/1.1\r\n\r\n",
            b"POST /webhooks/github HTTP/1.0\r\ncontent-length: 3\r\n\r\nabc",
            b"\x16\x03\x01" + chance.randbytes(300) + b"\r\n\r\n",
            POST + b"x: y\r\n" * 3000 + b"\r\n",
            b"GET /%s HTTP/1.1\r\n\r\n" % word(chance, 60),
        ]
    )


_TRAILERS = b"".join(b"t%06d: y\r\n" % n for n in range(5000))
_SMALL_CHUNKS = b"1\r\nx\r\n" * (PIECE // 6)
_PIPELINED = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n" * 1800

FLOODS: dict[str, Flood] = {
    "trailers": Flood(
        "chunked trailers without end", endless(CHUNKED + b"0\r\n", lambda _: _TRAILERS, 8), 8
    ),
    "extensions": Flood(
        "a chunk extension without end", endless(CHUNKED + b"1;", lambda _: b"e" * PIECE, 8), 8
    ),
    "small chunks": Flood("chunks of one byte", endless(CHUNKED, lambda _: _SMALL_CHUNKS, 16), 16),
    "headers": Flood(
        "headers without end", endless(POST, lambda c: b"x-%s: y\r\n" % word(c, 900), 100), 100
    ),
    "blank lines": Flood("one blank line, then nothing", silent(b"\r\n"), CONNECTIONS),
    "dripping blank lines": Flood("a blank line a second", dripping(b"\r\n", b"\r\n"), CONNECTIONS),
    "idle": Flood("connections that say nothing", silent(), CONNECTIONS),
    "idle after an answer": Flood(
        "an answered request, then nothing",
        silent(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"),
        CONNECTIONS,
    ),
    "slow heads": Flood("a header a second", dripping(POST, b"x: y\r\n"), CONNECTIONS),
    "slow bodies": Flood(
        "a byte a second to /healthz",
        dripping(b"POST /healthz HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n", b"x"),
        CONNECTIONS,
    ),
    "slow chunks": Flood(
        "a chunk a second to an unknown path",
        dripping(CHUNKED.replace(b"/webhooks/github", b"/none"), b"1\r\nx\r\n"),
        CONNECTIONS,
    ),
    "dawdling bodies": Flood(
        "255 bodies of 553 KB that lack a byte",
        dripping(POST + b"content-length: 553000\r\n\r\n" + b"x" * 552_000, b"x"),
        255,
    ),
    "dawdling large bodies": Flood(
        "bodies of 25 MB that lack a byte",
        dripping(POST + b"content-length: 25000000\r\n\r\n" + b"x" * 24_999_000, b"x"),
        12,
    ),
    "dawdling small bodies": Flood(
        "1,000 bodies of 100 KB that lack a byte",
        dripping(POST + b"content-length: 100000\r\n\r\n" + b"x" * 99_000, b"x"),
        1000,
    ),
    "brimful": Flood(
        "bodies of all sizes to 900 KB, until not one byte more fits",
        dripping(unfinished, b"x"),
        600,
    ),
    "half closed": Flood("half a body, then half closed", half_closed, CONNECTIONS),
    "long paths": Flood("installations of 60 KB in the path", asking(path(60_000)), 40),
    "other paths": Flood("another installation each time", asking(path(1500)), 200),
    "unsigned": Flood("small bodies with a wrong signature", asking(unsigned(500)), 200),
    "unsigned megabytes": Flood(
        "bodies of 900 KB with a wrong signature", asking(unsigned(900_000), 0.3), 10
    ),
    "unsigned large": Flood(
        "bodies of 24 MB with a wrong signature", asking(unsigned(24_000_000), 2.0), 3
    ),
    "unread bodies": Flood("bodies of 8 MB that are answered unread, then nothing", unread, 30),
    "pipelined": Flood(
        "requests in a row, answers never read", endless(b"", lambda _: _PIPELINED, 8), 8
    ),
    "odd requests": Flood("what is no proper request", asking(odd), 200),
    "churn": Flood("connections that come and go", churn, 60),
}


async def attack(flood: Flood, attacker: Attacker) -> None:
    # Ended connections are opened again, REQUESTS_PER_SECOND in total.
    between = flood.connections / REQUESTS_PER_SECOND

    async def one(number: int) -> None:
        await attacker.nap(number / REQUESTS_PER_SECOND)
        while not attacker.is_over():
            try:
                connection = await attacker.connect()
            except OSError as error:
                attacker.counts[f"not connected: {type(error).__name__}"] += 1
                await attacker.nap(between)
                continue
            try:
                await flood.visit(attacker, connection)
            except OSError as error:
                attacker.counts[type(error).__name__] += 1
            finally:
                connection.close()
            await attacker.nap(between)

    await asyncio.gather(*(one(number) for number in range(flood.connections)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("flood", choices=FLOODS)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument(
        "--sources", type=int, default=8, help="addresses 127.0.0.2 and on; 0: 127.0.0.1"
    )
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    sources = [f"127.0.0.{n + 2}" for n in range(given.sources)] or ["127.0.0.1"]
    ends_at = time.monotonic() + given.seconds
    attacker = Attacker(given.port, sources, random.Random(given.seed), ends_at, Counter())
    asyncio.run(attack(FLOODS[given.flood], attacker))
    json.dump(attacker.counts, sys.stdout)


if __name__ == "__main__":
    main()
