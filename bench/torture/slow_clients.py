"""Clients that hold connections and get nothing done: slow heads, dripping bodies, unread answers."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

Kind = Callable[[asyncio.StreamWriter, random.Random], Awaitable[None]]

_EACH = 20
_HEAD = b"POST /webhooks/github HTTP/1.1\r\nhost: x\r\n"
_MANY_REQUESTS = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n" * 200


async def visit(port: int, seconds: float, chance: random.Random) -> int:
    """Keeps sixty such clients at the receiver for `seconds`; returns how many connections they made."""
    ends_at = time.monotonic() + seconds
    kinds = [_slow_head, _dripping_body, _unread_answers] * _EACH
    return sum(await asyncio.gather(*(_repeat(kind, port, ends_at, chance) for kind in kinds)))


async def _repeat(kind: Kind, port: int, ends_at: float, chance: random.Random) -> int:
    connections = 0
    while time.monotonic() < ends_at:
        with suppress(OSError, TimeoutError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            connections += 1
            try:
                async with asyncio.timeout(max(0.1, ends_at - time.monotonic())):
                    await kind(writer, chance)
            finally:
                writer.transport.abort()
        await asyncio.sleep(0.2)
    return connections


async def _slow_head(writer: asyncio.StreamWriter, chance: random.Random) -> None:
    for byte in _HEAD * 100:
        await _write(writer, bytes([byte]))
        await asyncio.sleep(chance.uniform(0.05, 0.3))


async def _dripping_body(writer: asyncio.StreamWriter, chance: random.Random) -> None:
    await _write(writer, _HEAD + b"content-length: 1000000\r\n\r\n{")
    while True:
        await _write(writer, b" ")
        await asyncio.sleep(chance.uniform(0.05, 0.3))


async def _unread_answers(writer: asyncio.StreamWriter, _chance: random.Random) -> None:
    while True:
        await _write(writer, _MANY_REQUESTS)
        await asyncio.sleep(0.1)


async def _write(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()
