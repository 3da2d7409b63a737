"""Reads the body of a provider's answer, bounded in bytes, values and time.

The address may belong to a server that an organisation runs itself. An answer that unpacks to
gigabytes, or never ends, must not stop the process that reads everybody's history.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from typing import Any

import httpx
import msgspec

from lightfast_pipelines.providers import json_bounds
from lightfast_pipelines.providers.api_contract import AnswerOutcome
from lightfast_pipelines.providers.malformed_body import MalformedBody

MAX_BYTES = 64 * 1024 * 1024
"""Unpacked. A page of 100 pull requests with their commits has about 3 MB."""
MAX_SECONDS = 120.0

ACCEPTED_ENCODING = "gzip"
"""The only requested encoding; it is unpacked here in steps of bounded size."""


class UnusableBodyError(Exception):
    """The body cannot be used; the message says why and quotes nothing of it."""

    def __init__(self, outcome: AnswerOutcome, message: str) -> None:
        super().__init__(message)
        self.outcome = outcome


def read_json(response: httpx.Response, *, clock: Callable[[], float] = time.monotonic) -> Any:
    """The decoded body of a streamed response; None if it is empty.

    Raises UnusableBodyError, and httpx.TransportError if the connection breaks.
    """
    content = _read(response, clock)
    if not content:
        return None
    try:
        json_bounds.check(content)
        return msgspec.json.decode(content)
    except MalformedBody as error:
        message = f"a body that is too large: {error}"
        raise UnusableBodyError(AnswerOutcome.HEAVY, message) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        kind = response.headers.get("content-type", "no content type").split(";")[0]
        message = f"{len(content):,} bytes that are not JSON ({kind})"
        raise UnusableBodyError(AnswerOutcome.MALFORMED, message) from None


def _read(response: httpx.Response, clock: Callable[[], float]) -> bytes:
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in (ACCEPTED_ENCODING, "identity", ""):
        message = f"in an encoding that was not asked for ({encoding[:40]})"
        raise UnusableBodyError(AnswerOutcome.MALFORMED, message)
    unpacker = zlib.decompressobj(wbits=31) if encoding == ACCEPTED_ENCODING else None
    body = bytearray()
    received = 0
    ends_at = clock() + MAX_SECONDS
    for piece in response.iter_raw():
        received += len(piece)
        if unpacker is None:
            body += piece
        elif not unpacker.eof:
            try:
                body += unpacker.decompress(piece, MAX_BYTES - len(body) + 1)
            except zlib.error:
                message = "a body that is not gzip, though its header says so"
                raise UnusableBodyError(AnswerOutcome.MALFORMED, message) from None
        if max(received, len(body)) > MAX_BYTES:
            raise UnusableBodyError(AnswerOutcome.HEAVY, f"more than {MAX_BYTES:,} bytes")
        if clock() > ends_at:
            message = f"no end of its body within {MAX_SECONDS:.0f} seconds"
            raise UnusableBodyError(AnswerOutcome.UNAVAILABLE, message)
    return bytes(body)
