"""Finds where an HTTP/1 request ends: reads its head, and joins the chunks of its body.

Pure, and stricter than the parser behind it: it refuses whatever two servers could read in two ways,
so nobody can smuggle a request. Everything here is bounded by `Limits`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from webhook_receiver.limits import Limits
from webhook_receiver.refusal import Refusal

METHODS = frozenset((b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"))
HEAD_END = b"\r\n\r\n"

_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) (/[\x21-\x7e]*) HTTP/1\.([01])\r\n")
_HOP_BY_HOP = frozenset((b"connection", b"expect", b"upgrade"))
_FRAMING = _HOP_BY_HOP | {b"content-length", b"transfer-encoding"}
# Only one or two headers in twelve match: looking at every line took half of the gate's time.
_FRAMING_LINES = re.compile(rb"\n((?:[ \t]|%b)[^\r]*)" % b"|".join(sorted(_FRAMING)), re.IGNORECASE)
_DROPPED = re.compile(
    rb"\r\n(?:content-length|transfer-encoding|expect|connection|upgrade|http2-settings|te|trailer)"
    rb"[ \t]*:[^\r]*",
    re.IGNORECASE,
)
_FORWARDED = re.compile(rb"\r\nx-forwarded-for:([^\r]*)", re.IGNORECASE)
_CONTROLS = bytes(n for n in (*range(32), 127) if n not in b"\t\r\n")
_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,8})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?")
_CHUNK_LINE_BYTES = 256
_FREE_CHUNKS = 1000
_MEAN_CHUNK_BYTES = 64


@dataclass(slots=True)
class Head:
    """A request's head. `length` is None if the body comes in chunks."""

    method: bytes
    length: int | None
    wants_continue: bool = False
    must_be_rewritten: bool = False


def parse_head(head: bytes, limits: Limits) -> Head:
    """Reads a whole head, including the empty line at its end. Raises Refusal."""
    ends = head.count(b"\r\n")
    if head.count(b"\n") != ends or head.count(b"\r") != ends:
        raise Refusal(400, "a line of the head does not end with CR LF")
    if ends - 2 > limits.max_headers:
        raise Refusal(431, f"more than {limits.max_headers} headers")
    request_line = _REQUEST_LINE.match(head)
    if request_line is None or len(head.translate(None, _CONTROLS)) != len(head):
        raise Refusal(400, "this is not HTTP/1.1")
    method, path, minor = request_line.groups()
    if len(path) > limits.max_path_bytes:
        raise Refusal(414, f"the path is longer than {limits.max_path_bytes} bytes")
    if method not in METHODS:
        raise Refusal(501, "this method is not known here")
    parsed = Head(method, 0)
    lengths = codings = 0
    for line in _FRAMING_LINES.findall(head):
        name, _, value = line.partition(b":")
        name = name.lower()
        if name == b"content-length":
            lengths += 1
            parsed.length = _length(value)
        elif name == b"transfer-encoding":
            codings += 1
            _check_coding(value)
        elif name in _HOP_BY_HOP:
            _hop_by_hop(parsed, name, value, is_http_1_0=minor == b"0")
        elif name[:1] in b" \t" or name.rstrip(b" \t") in _FRAMING:
            raise Refusal(400, "a header is folded or has a space before its colon")
    if lengths + codings > 1 or (codings and minor == b"0"):
        raise Refusal(400, "the body's length is stated twice")
    if codings:
        parsed.length = None
        parsed.must_be_rewritten = True
    elif parsed.length is not None and parsed.length > limits.max_body_bytes:
        raise Refusal(413, f"the body is larger than {limits.max_body_bytes} bytes")
    return parsed


def _length(value: bytes) -> int:
    digits = value.strip(b" \t")
    if not digits.isdigit() or len(digits) > 18:
        raise Refusal(400, "Content-Length is not a number")
    return int(digits)


def _check_coding(value: bytes) -> None:
    if value.strip(b" \t").lower() != b"chunked":
        raise Refusal(501, "no transfer coding but chunked is known here")


def _hop_by_hop(parsed: Head, name: bytes, value: bytes, *, is_http_1_0: bool) -> None:
    """Notes a header that concerns only this connection and is not passed on."""
    if name == b"connection":
        parsed.must_be_rewritten |= b"upgrade" in value.lower()
        return
    parsed.must_be_rewritten = True
    if name == b"expect":
        if value.strip(b" \t").lower() != b"100-continue":
            raise Refusal(417, "nothing but 100-continue can be expected here")
        parsed.wants_continue = not is_http_1_0


def rewritten(head: bytes, length: int) -> bytes:
    """The head for the parser: it states the length, and nothing about how the request was sent."""
    keeps_alive = not re.search(rb"\r\nconnection[ \t]*:[^\r]*close", head, re.IGNORECASE)
    bare = _DROPPED.sub(b"", head[: -len(HEAD_END)])
    close = b"" if keeps_alive else b"\r\nconnection: close"
    return b"%s%s\r\ncontent-length: %d\r\n\r\n" % (bare, close, length)


def forwarded_for(head: bytes) -> list[str]:
    """The addresses of X-Forwarded-For, the nearest last."""
    values = b",".join(_FORWARDED.findall(head)).decode("latin-1")
    return [part.strip() for part in values.split(",") if part.strip()]


class Chunks:
    """Joins a body that is sent in chunks. Extensions and trailers are dropped: they are not signed."""

    __slots__ = ("_count", "_left", "_limits", "_line", "_size", "_state", "_trailer_bytes", "rest")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._state = "size"
        self._line = b""
        self._left = 0
        self._count = 0
        self._size = 0
        self._trailer_bytes = 0
        self.rest = b""
        """What arrived after the body's end."""

    def feed(self, data: bytes, body: bytearray) -> bool:
        """Appends the chunks' contents to `body`; True when the body is complete. Raises Refusal."""
        position = 0
        while position < len(data):
            if self._state == "data":
                piece = data[position : position + self._left]
                body += piece
                position += len(piece)
                self._left -= len(piece)
                if self._left == 0:
                    self._state = "end of data"
                continue
            end = data.find(b"\n", position)
            part = data[position:] if end < 0 else data[position : end + 1]
            position += len(part)
            self._line += part
            bound = (
                self._limits.max_trailer_bytes if self._state == "trailer" else _CHUNK_LINE_BYTES
            )
            if len(self._line) > bound:
                raise Refusal(431, "a chunk's head or trailer is too large")
            if end < 0:
                return False
            line, self._line = self._line, b""
            if not line.endswith(b"\r\n") or b"\r" in line[:-2]:
                raise Refusal(400, "a line between chunks does not end with CR LF")
            if self._take_line(line[:-2]):
                self.rest = data[position:]
                return True
        return False

    def _take_line(self, line: bytes) -> bool:
        """Reads a line between chunks; True if it ends the body. Raises Refusal."""
        if self._state == "end of data":
            if line:
                raise Refusal(400, "a chunk is longer than it says")
            self._state = "size"
        elif self._state == "trailer":
            self._trailer_bytes += len(line) + 2
            if self._trailer_bytes > self._limits.max_trailer_bytes:
                raise Refusal(431, "the trailers are too large")
            return not line
        else:
            stated = _CHUNK_SIZE.fullmatch(line)
            if stated is None:
                raise Refusal(400, "a chunk's size is not a number")
            self._left = int(stated[1], 16)
            self._size += self._left
            self._count += 1
            if self._size > self._limits.max_body_bytes:
                raise Refusal(413, f"the body is larger than {self._limits.max_body_bytes} bytes")
            if self._count > _FREE_CHUNKS + self._size // _MEAN_CHUNK_BYTES:
                raise Refusal(400, "the chunks are too small")
            self._state = "data" if self._left else "trailer"
        return False
