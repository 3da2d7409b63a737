"""Honest deliveries beside a flood, sent at a fixed rate whatever happened to the last one.

A process of its own, started by `bench.attack`. Every second delivery comes on a connection of its own,
as most senders do, the others on connections that are kept. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import sys
import time
from collections import Counter

from bench.receiver_load import bodies, signature

KEPT = 10
WAIT_SECONDS = 30.0


class Sender:
    def __init__(self, port: int, secret: bytes, source: str, size: int) -> None:
        self.port = port
        self.source = source
        self.made = [(body, signature(body, secret)) for body in bodies(size)]
        self.run = secrets.token_hex(6)
        self.outcomes: Counter[str] = Counter()
        self.seconds: list[float] = []
        self.kept: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter] | None] = (
            asyncio.Queue()
        )
        for _ in range(KEPT):
            self.kept.put_nowait(None)

    async def deliver(self, number: int) -> None:
        began = time.monotonic()
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                status = await (self._kept(number) if number % 2 else self._new(number))
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            status = type(error).__name__
        self.outcomes[status] += 1
        self.seconds.append(time.monotonic() - began)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port, local_addr=(self.source, 0))

    async def _new(self, number: int) -> str:
        reader, writer = await self._connect()
        try:
            return await self._ask(reader, writer, number)
        finally:
            writer.close()

    async def _kept(self, number: int) -> str:
        connection = await self.kept.get()
        try:
            connection = connection or await self._connect()
            return await self._ask(*connection, number)
        except BaseException:
            connection = None
            raise
        finally:
            self.kept.put_nowait(connection)

    async def _ask(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
    ) -> str:
        body, signed = self.made[number % len(self.made)]
        writer.write(
            b"POST /webhooks/github HTTP/1.1\r\nhost: x\r\nuser-agent: GitHub-Hookshot/044aadd\r\n"
            b"content-type: application/json\r\nx-github-event: ping\r\nx-github-delivery: %s\r\n"
            b"x-hub-signature-256: %s\r\ncontent-length: %d\r\n\r\n"
            % (f"{self.run}-{number}".encode(), signed.encode(), len(body))
            + body
        )
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        await reader.readexactly(length)
        return head[9:12].decode()


async def run(sender: Sender, rate: float, seconds: float) -> None:
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(began + number / rate - time.monotonic(), 0))
            group.create_task(sender.deliver(number))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--secret", required=True)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=50.0)
    parser.add_argument("--source", default="127.0.0.1")
    parser.add_argument("--body-bytes", type=int, default=10_240)
    given = parser.parse_args()
    sender = Sender(given.port, given.secret.encode(), given.source, given.body_bytes)
    asyncio.run(run(sender, given.rate, given.seconds))
    times = sorted(sender.seconds)
    json.dump(
        {
            "outcomes": dict(sender.outcomes),
            "p99": times[len(times) * 99 // 100],
            "longest": times[-1],
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
