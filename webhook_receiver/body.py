"""Reads a request's body, which the gate has already completed and bounded."""

from __future__ import annotations

from starlette.types import Receive


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
