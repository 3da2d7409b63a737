"""Reads the lines of files, gzipped or not, in bounded memory, and reports a broken file.

Nothing here interprets the lines.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, cast

_GZIP_MAGIC = b"\x1f\x8b"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Line:
    """A line that is not blank, without its line end and without a byte order mark at its start.

    Numbers start at 1 and count blank lines; a line that holds only a mark is blank.
    """

    file: str
    number: int
    text: bytes


@dataclass(frozen=True, slots=True)
class UnreadableLine:
    """A line that is too long, or (`is_a_line` false) the place where a file breaks off."""

    file: str
    number: int
    reason: str
    is_a_line: bool


def read_lines(stream: BinaryIO, file: str, *, max_bytes: int) -> Iterator[Line | UnreadableLine]:
    """The lines of `stream`. Gzip is recognised by its first bytes, so stdin may be gzipped too.

    Holds at most `max_bytes` of a line; skips and reports a longer one.
    """
    reader = stream if hasattr(stream, "peek") else io.BufferedReader(cast(io.RawIOBase, stream))
    if cast(io.BufferedReader, reader).peek(2)[:2] == _GZIP_MAGIC:
        reader = cast(BinaryIO, io.BufferedReader(gzip.GzipFile(fileobj=reader), 1 << 20))
    number = 0
    while True:
        number += 1
        try:
            text = reader.readline(max_bytes + 1)
            if not text:
                return
            if len(text) > max_bytes and not text.endswith(b"\n"):
                _skip_rest(reader, max_bytes)
                yield UnreadableLine(
                    file, number, f"longer than {max_bytes:,} bytes", is_a_line=True
                )
                continue
        except EOFError:
            yield UnreadableLine(
                file, number, "the gzip file is cut off here: lines may be missing", is_a_line=False
            )
            return
        except (gzip.BadGzipFile, zlib.error) as error:
            yield UnreadableLine(
                file, number, f"the gzip file is damaged here: {error}", is_a_line=False
            )
            return
        except OSError as error:
            yield UnreadableLine(
                file, number, f"reading failed here: {error.strerror or error}", is_a_line=False
            )
            return
        # Concatenated files that each began with a mark have marks in the middle.
        text = text.removeprefix(_BYTE_ORDER_MARK).strip()
        if text:
            yield Line(file, number, text)


def _skip_rest(reader: BinaryIO, step: int) -> None:
    while (part := reader.readline(step)) and not part.endswith(b"\n"):
        pass
