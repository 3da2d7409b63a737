"""The cursor of a search's pages: what the first page saw, so that the next ones rank the same."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any


class CursorError(ValueError):
    """The cursor is not one of this search; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page begins. `until` is the last observation and `counts` the frequencies of words that the
    first page saw, `now` its time; what came later is not part of the ranking."""

    question: str
    position: int
    last: str
    until: int
    now: str
    counts: Mapping[str, int]

    def text(self) -> str:
        packed = zlib.compress(json.dumps(asdict(self)).encode(), 9)
        return base64.urlsafe_b64encode(packed).decode().rstrip("=")

    @property
    def moment(self) -> datetime:
        return datetime.fromisoformat(self.now)


def fingerprint(*parts: object) -> str:
    """Tells questions apart: a cursor continues only its own."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def read_cursor(text: str, question: str) -> Cursor:
    """Raises CursorError for a text that is no cursor, or one of another question."""
    wrong = "this is not a cursor of a search: pass `next_cursor` unchanged, or leave it out for the first page"
    try:
        packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        inflate = zlib.decompressobj()
        fields: dict[str, Any] = json.loads(inflate.decompress(packed, 100_000))
        cursor = Cursor(**fields)
        _ = cursor.moment
        is_whole = (
            isinstance(cursor.position, int)
            and isinstance(cursor.until, int)
            and isinstance(cursor.last, str)
            and all(isinstance(count, int) for count in cursor.counts.values())
        )
    except (ValueError, TypeError, AttributeError, binascii.Error, zlib.error) as error:
        raise CursorError(wrong) from error
    if not is_whole:
        raise CursorError(wrong)
    if cursor.question != question:
        raise CursorError(
            "the cursor belongs to another question, mode or filter: leave it out for the first page"
        )
    return cursor
