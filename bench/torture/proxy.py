"""A TCP proxy between senders and receiver, which cuts connections while it is told to.

In the middle of a body (the receiver gets a part of a delivery), or in the middle of an answer (the
delivery is stored, and its sender does not know).
"""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import suppress

_PIECE = 64 * 1024


class CuttingProxy:
    def __init__(self, receiver_port: int, chance: random.Random) -> None:
        self._receiver_port = receiver_port
        self._chance = chance
        self._cuts_until = 0.0
        self._server: asyncio.Server | None = None
        self.port = 0
        self.cut = 0
        """Connections that were cut so far."""

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        if self._server is not None:
            self._server.close()

    def cut_for(self, seconds: float) -> None:
        """Cuts every second connection from now on, for some time."""
        self._cuts_until = time.monotonic() + seconds

    def _cuts_now(self) -> bool:
        return time.monotonic() < self._cuts_until and self._chance.random() < 0.5

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        try:
            receiver, to_receiver = await asyncio.open_connection("127.0.0.1", self._receiver_port)
        except OSError:
            to_client.transport.abort()
            return
        pumps = [
            asyncio.ensure_future(self._pump(client, to_receiver)),
            asyncio.ensure_future(self._pump(receiver, to_client)),
        ]
        # At the end of the run both are ended together.
        with suppress(asyncio.CancelledError):
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for writer in (to_client, to_receiver):
            with suppress(OSError, RuntimeError):
                writer.close()
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forwards one direction until it ends, or until both directions are to be cut."""
        with suppress(OSError):
            while data := await reader.read(_PIECE):
                if self._cuts_now():
                    self.cut += 1
                    writer.write(data[: self._chance.randrange(len(data))])
                    with suppress(OSError, TimeoutError):
                        async with asyncio.timeout(0.2):
                            await writer.drain()
                    return
                writer.write(data)
                await writer.drain()
