"""Answers every request at once and does nothing else: what the load generator can do at most.

A process of its own, `python -m bench.receiver_sink PORT`.
"""

from __future__ import annotations

import asyncio
import re
import sys
from typing import cast

from bench.receiver_event_loop import run_fast

_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


class Sink(asyncio.Protocol):
    def __init__(self) -> None:
        self.missing = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass of it

    def data_received(self, data: bytes) -> None:
        """A client here sends no second request before the answer, and each head in one piece."""
        if not self.missing:
            stated = _LENGTH.search(data)
            assert stated is not None
            self.missing = int(stated[1]) + data.index(b"\r\n\r\n") + 4
        self.missing -= len(data)
        if not self.missing:
            self.transport.write(_ANSWER)


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", port, backlog=2048)
    await server.serve_forever()


if __name__ == "__main__":
    run_fast(serve(int(sys.argv[1])))
