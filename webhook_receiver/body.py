"""A request's body, as it comes out of the gate, and a whole response.

Knows ASGI messages, no provider and no database. How large a body may be, and how long it may take,
is the gate's matter: here it is complete.
"""

from __future__ import annotations

from starlette.types import Receive, Send

RETRY_AFTER_SECONDS = 1


class Refusal(Exception):
    """An answer other than 2xx. `message` is for the sender, `reason` for the log."""

    def __init__(self, status: int, message: str, *, reason: str = "") -> None:
        super().__init__(status)
        self.status = status
        self.message = message
        self.reason = reason or message


class ClientGone(Exception):
    """The client hung up."""


async def read_body(receive: Receive) -> bytes:
    """The whole body. Raises ClientGone."""
    parts = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientGone
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)


async def answer(send: Send, status: int, content: bytes, *headers: tuple[bytes, bytes]) -> None:
    """A whole JSON response."""
    length = b"%d" % len(content)
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", b"application/json"),
                (b"content-length", length),
                *headers,
            ],
        }
    )
    await send({"type": "http.response.body", "body": content})
