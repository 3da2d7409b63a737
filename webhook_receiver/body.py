"""Reads a request's body within its limits, and answers requests whose body is not wanted.

Knows ASGI messages, no provider and no database.
"""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.types import Message, Receive, Scope, Send

from webhook_receiver.limits import Budget, Limits

DRAIN_SECONDS = 10.0
RETRY_AFTER_SECONDS = 1


class Refusal(Exception):
    """An answer other than 2xx. `message` is for the sender, `reason` for the log."""

    def __init__(self, status: int, message: str, *, reason: str = "", drain: bool = False) -> None:
        super().__init__(status)
        self.status = status
        self.message = message
        self.reason = reason or message
        self.drain = drain


class ClientGone(Exception):
    """The client hung up before its body was complete."""


class Patience:
    """Interrupts the tasks that read a body for too long.

    One sweep over all readers several times a second: a timer for each request was 6 % of the
    samples of a profile under load.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._reading: dict[asyncio.Task[Any], float] = {}
        self._interrupted: set[asyncio.Task[Any]] = set()

    def begin(self) -> asyncio.Task[Any]:
        task = asyncio.current_task()
        assert task is not None
        self._reading[task] = asyncio.get_running_loop().time() + self._seconds
        return task

    def end(self, task: asyncio.Task[Any]) -> None:
        self._reading.pop(task, None)

    def was_lost_with(self, task: asyncio.Task[Any]) -> bool:
        """Whether the task's CancelledError came from here; then it is to go on."""
        if task not in self._interrupted:
            return False
        self._interrupted.discard(task)
        return task.uncancel() == 0

    async def sweep(self) -> None:
        """Runs for as long as the server."""
        while True:
            await asyncio.sleep(min(self._seconds / 4, 0.25))
            now = asyncio.get_running_loop().time()
            # In order of their beginning, so the first that has time left ends the search.
            while self._reading:
                task, deadline = next(iter(self._reading.items()))
                if deadline > now:
                    break
                del self._reading[task]
                self._interrupted.add(task)
                task.cancel()


class IncomingBody:
    """One request's body; what it holds of the budget is given back by `release`."""

    __slots__ = ("_budget", "_held", "_limits", "_patience", "_receive", "received")

    def __init__(
        self, receive: Receive, limits: Limits, budget: Budget, patience: Patience
    ) -> None:
        self._receive = receive
        self._limits = limits
        self._budget = budget
        self._patience = patience
        self._held = 0
        self.received = 0

    async def read(self, scope: Scope) -> bytes:
        """The whole body. Raises Refusal (413, 503, 408) or ClientGone."""
        announced = content_length(scope)
        if announced > self._limits.max_body_bytes:
            raise self._too_large()
        task = self._patience.begin()
        try:
            message = await self._receive()
            first = self._chunk(message)
            if not message.get("more_body", False):
                return first
            chunks = [first]
            while message.get("more_body", False):
                message = await self._receive()
                chunks.append(self._chunk(message))
        except asyncio.CancelledError:
            if not self._patience.was_lost_with(task):
                raise
            late = "the body did not arrive in time"
            raise Refusal(408, late, reason="slow client") from None
        finally:
            self._patience.end(task)
        return b"".join(chunks)

    def _chunk(self, message: Message) -> bytes:
        if message["type"] != "http.request":
            raise ClientGone
        chunk: bytes = message.get("body", b"")
        self.received += len(chunk)
        if self.received > self._limits.max_body_bytes:
            raise self._too_large()
        if not self._budget.take(len(chunk), self._held):
            raise Refusal(503, "busy: try again", reason="bytes in flight", drain=True)
        self._held += len(chunk)
        return chunk

    def _too_large(self) -> Refusal:
        limit = self._limits.max_body_bytes
        return Refusal(
            413, f"the body is larger than {limit} bytes", reason="too large", drain=True
        )

    def release(self) -> None:
        """Safe to repeat."""
        self._budget.give_back(self._held)
        self._held = 0


def content_length(scope: Scope) -> int:
    """What the request announces, 0 where it announces nothing (the server refuses a malformed one)."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value)
    return 0


def has_body(scope: Scope) -> bool:
    return content_length(scope) > 0 or any(n == b"transfer-encoding" for n, _ in scope["headers"])


async def answer(send: Send, status: int, content: bytes, *headers: tuple[bytes, bytes]) -> None:
    """A whole JSON response."""
    await send(_start(status, content, *headers))
    await send({"type": "http.response.body", "body": content})


async def answer_unread(
    receive: Receive, send: Send, status: int, content: bytes, *headers: tuple[bytes, bytes]
) -> None:
    """Answers at once, then closes the connection, though its body was not (wholly) read.

    For a while it takes and drops what the client is still sending: closing a connection with
    unread bytes resets it, and many clients then never see the answer.
    """
    await send(_start(status, content, (b"connection", b"close"), *headers))
    await send({"type": "http.response.body", "body": content, "more_body": True})
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            message = await receive()
            while message["type"] == "http.request" and message.get("more_body", False):
                message = await receive()
    except TimeoutError:
        # It had its time; closing is all that is left.
        await asyncio.sleep(0)
    await send({"type": "http.response.body", "body": b""})


def _start(status: int, content: bytes, *headers: tuple[bytes, bytes]) -> dict[str, Any]:
    length = b"%d" % len(content)
    return {
        "type": "http.response.start",
        "status": status,
        "headers": [(b"content-type", b"application/json"), (b"content-length", length), *headers],
    }
