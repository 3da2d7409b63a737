"""What is answered, and the bytes that reach the client.

Knows nothing about providers or the database.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from webhook_receiver.refusal import RETRY_AFTER_SECONDS

_PHRASES = {status.value: status.phrase.encode() for status in HTTPStatus}


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer in JSON; `headers` are whole lines."""

    status: int
    content: bytes
    headers: bytes = b""

    def written(self, *, is_last: bool) -> bytes:
        """Its bytes; the client is told if the connection ends after it, and sends nothing more on it."""
        return (
            b"HTTP/1.1 %d %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n%s%s\r\n%s"
            % (
                self.status,
                _PHRASES[self.status],
                len(self.content),
                self.headers,
                b"connection: close\r\n" if is_last else b"",
                self.content,
            )
        )


RETRY_AFTER = b"retry-after: %d\r\n" % RETRY_AFTER_SECONDS


def refusal_bytes(status: int, message: str) -> bytes:
    """The whole response to a request that never reaches the application."""
    content = json.dumps({"error": message}).encode()
    retry = RETRY_AFTER if status == 503 else b""
    return Answer(status, content, retry).written(is_last=True)


class AnswerTransport(asyncio.Transport):
    """The transport that uvicorn sees: it writes, but neither reads nor ends the connection itself."""

    def __init__(self, transport: asyncio.Transport, on_close: Callable[[], None]) -> None:
        super().__init__()
        self._transport = transport
        self._on_close = on_close

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._transport.write(data)

    def close(self) -> None:
        self._on_close()

    def abort(self) -> None:
        self._transport.abort()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        """The gate alone decides what is read, and when."""

    def resume_reading(self) -> None:
        """As above."""
