"""Load on a webhook receiver: signed deliveries over many connections, as fast as it answers.

A process of its own, `python -m bench.receiver_load`; prints one JSON object. Requests are built before
the clock starts; each carries a delivery id of its own (GitHub's signature does not cover it).
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import hmac
import json
import random
import secrets
import sys
import time
from collections import Counter
from pathlib import Path
from typing import cast

from bench.receiver_event_loop import run_fast

BODIES = 300


def bodies(size: int, seed: int = 7) -> list[bytes]:
    """Different JSON objects of `size` bytes, which compress about as well as real payloads."""
    chance = random.Random(seed)
    words = ["".join(chance.choices("etaoinshrdlu", k=chance.randint(2, 9))) for _ in range(2000)]
    made = []
    for number in range(BODIES):
        text = " ".join(chance.choices(words, k=size // 4))
        head = json.dumps({"zen": "", "hook_id": number, "repository": {"id": 1}})
        made.append(head.replace('""', f'"{text[: size - len(head)]}"', 1).encode())
    return made


def signature(body: bytes, secret: bytes) -> str:
    return "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()


class Sender:
    """The requests, answers and times of all connections."""

    def __init__(self, path: str, size: int, secret: bytes, answered: Path | None) -> None:
        made = bodies(size)
        self.requests = [
            (
                f"POST {path} HTTP/1.1\r\nHost: receiver\r\nUser-Agent: GitHub-Hookshot/044aadd\r\n"
                "Accept: */*\r\nContent-Type: application/json\r\nX-GitHub-Event: ping\r\n"
                "X-GitHub-Hook-ID: 292430182\r\nX-GitHub-Hook-Installation-Target-ID: 79929171\r\n"
                "X-GitHub-Hook-Installation-Target-Type: repository\r\n"
                f"X-Hub-Signature-256: {signature(body, secret)}\r\n"
                f"Content-Length: {len(body)}\r\nX-GitHub-Delivery: "
            ).encode()
            for body in made
        ]
        self.tails = [b"\r\n\r\n" + body for body in made]
        self.run = secrets.token_hex(8)
        self.sent = 0
        self.seconds: list[float] = []
        self.statuses: Counter[str] = Counter()
        self.lost = 0
        self.stopped = False
        self.answered = answered.open("w") if answered else None

    def next(self) -> tuple[str, bytes]:
        self.sent += 1
        which = self.sent % BODIES
        number = f"{self.run}-{self.sent:015d}"
        return number, b"".join((self.requests[which], number.encode(), self.tails[which]))


class Connection(asyncio.Protocol):
    """Sends, waits for the answer, sends the next."""

    def __init__(self, sender: Sender) -> None:
        self.sender = sender
        self.closed = asyncio.get_running_loop().create_future()
        self.got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass of it
        self._send()

    def _send(self) -> None:
        self.number, request = self.sender.next()
        self.started = time.perf_counter()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.got += data
        if not self.got.endswith(b"}"):
            return
        status, self.got = self.got[9:12], b""
        sender = self.sender
        sender.seconds.append(time.perf_counter() - self.started)
        sender.statuses[status.decode()] += 1
        if sender.answered and status == b"200":
            sender.answered.write(self.number + "\n")
        if sender.stopped:
            self.transport.close()
        else:
            self._send()

    def connection_lost(self, _error: Exception | None) -> None:
        if not self.sender.stopped:
            self.sender.lost += 1
        if not self.closed.done():
            self.closed.set_result(None)


async def run(sender: Sender, port: int, connections: int, seconds: float) -> dict[str, object]:
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    made = [
        await loop.create_connection(lambda: Connection(sender), "127.0.0.1", port)
        for _ in range(connections)
    ]
    everyone = asyncio.gather(*(connection.closed for _, connection in made))
    await asyncio.wait([everyone], timeout=seconds)
    took = time.perf_counter() - started
    answers = sum(sender.statuses.values())
    sender.stopped = True
    await asyncio.wait([everyone], timeout=30)
    if sender.answered:
        sender.answered.close()
    times = sorted(sender.seconds) or [0.0]
    return {
        "per_second": answers / took,
        "p50_ms": times[len(times) // 2] * 1000,
        "p99_ms": times[len(times) * 99 // 100] * 1000,
        "accepted": sender.statuses["200"],
        "statuses": dict(sender.statuses),
        "lost_connections": sender.lost,
        "run": sender.run,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", default="/webhooks/github")
    parser.add_argument("--secret", required=True)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--body-bytes", type=int, default=10_240)
    parser.add_argument("--answered", type=Path, help="write the ids of answered deliveries here")
    given = parser.parse_args()
    sender = Sender(given.path, given.body_bytes, given.secret.encode(), given.answered)
    json.dump(run_fast(run(sender, given.port, given.connections, given.seconds)), sys.stdout)


if __name__ == "__main__":
    main()
