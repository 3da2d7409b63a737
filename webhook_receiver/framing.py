"""Finds where an HTTP/1 request ends: reads its head, and joins the chunks of its body.

Pure, and stricter than any parser of an HTTP library: it refuses whatever two servers could read in two
ways, so nobody can smuggle a request. Everything here is bounded by `Limits`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from webhook_receiver.limits import Limits
from webhook_receiver.refusal import Refusal

METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
HEAD_END = b"\r\n\r\n"

_REQUEST_LINE = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+) (/[\x21-\x7e]*) HTTP/1\.([01])")
_NAMES = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
# Each line's end is a CR and an LF. Any other control character is refused, except a tab.
_CONTROLS = bytes(n for n in (*range(32), 127) if n != 9)
_OF_THE_CONNECTION = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "http2-settings",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,8})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?")
_CHUNK_LINE_BYTES = 256
_FREE_CHUNKS = 1000
_MEAN_CHUNK_BYTES = 64


@dataclass(slots=True)
class Head:
    """A request's head. Names of headers are in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    """Values of a repeated header are joined by a comma (RFC 9110, 5.3). A joined value is neither a
    valid signature nor the name of an event."""
    repeated: frozenset[str]
    """The names of the headers that are given more than once."""
    length: int | None = 0
    """The body's bytes; None if the body comes in chunks."""
    is_last: bool = False
    """Whether the client wants the connection to end after the answer."""
    wants_continue: bool = False

    @property
    def path(self) -> str:
        """The decoded path, without a query."""
        path = self.target.partition("?")[0].partition("#")[0]
        return unquote(path) if "%" in path else path

    def without_body(self) -> bytes:
        """The same request for an HTTP parser, as if it had been sent without a body."""
        lines = [f"{self.method} {self.target} HTTP/1.1"]
        lines += [f"{n}: {v}" for n, v in self.headers.items() if n not in _OF_THE_CONNECTION]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


def parse_head(head: bytes, limits: Limits) -> Head:
    """Reads a whole head, including the empty line at its end. Raises Refusal."""
    lines = head.decode("latin-1").split("\r\n")
    # The last two lines are empty.
    if len(head.translate(None, _CONTROLS)) != len(head) - 2 * (len(lines) - 1):
        raise Refusal(400, "the head holds a control character, or a line without CR LF at its end")
    if len(lines) - 3 > limits.max_headers:
        raise Refusal(431, f"more than {limits.max_headers} headers")
    request_line = _REQUEST_LINE.fullmatch(lines[0])
    if request_line is None:
        raise Refusal(400, "this is not HTTP/1.1")
    method, target, minor = request_line.groups()
    if len(target) > limits.max_path_bytes:
        raise Refusal(414, f"the path is longer than {limits.max_path_bytes} bytes")
    if method not in METHODS:
        raise Refusal(501, "this method is not known here")
    headers: dict[str, str] = {}
    repeated: set[str] = set()
    for line in lines[1:-2]:
        given, colon, value = line.partition(":")
        name = given.lower()
        if not (colon and name):
            raise Refusal(400, "a header has no name or no colon")
        value = value.strip(" \t")
        if name in headers:
            repeated.add(name)
            value = f"{headers[name]}, {value}"
        headers[name] = value
    # Checked together. A folded line begins with a blank, which no name holds.
    if headers and not _NAMES.fullmatch("".join(headers)):
        raise Refusal(400, "a header is folded, or its name is not one")
    parsed = Head(method, target, headers, frozenset(repeated))
    _read_framing(parsed, is_http_1_0=minor == "0")
    if parsed.length is not None and parsed.length > limits.max_body_bytes:
        raise Refusal(413, f"the body is larger than {limits.max_body_bytes} bytes")
    return parsed


def _read_framing(parsed: Head, *, is_http_1_0: bool) -> None:
    """Reads the headers that say how long the request is, and what comes after it."""
    headers = parsed.headers
    length, coding = headers.get("content-length"), headers.get("transfer-encoding")
    if parsed.repeated & {"content-length", "transfer-encoding"}:
        raise Refusal(400, "the body's length is stated twice")
    if coding is not None:
        if length is not None or is_http_1_0:
            raise Refusal(400, "the body's length is stated twice")
        if coding.lower() != "chunked":
            raise Refusal(501, "no transfer coding but chunked is known here")
        parsed.length = None
    elif length is not None:
        if not (length.isascii() and length.isdigit()) or len(length) > 18:
            raise Refusal(400, "Content-Length is not a number")
        parsed.length = int(length)
    parsed.is_last = is_http_1_0 or "close" in headers.get("connection", "").lower()
    if "expect" in headers:
        if headers["expect"].lower() != "100-continue":
            raise Refusal(417, "nothing but 100-continue can be expected here")
        parsed.wants_continue = not is_http_1_0


def addresses(forwarded_for: str) -> list[str]:
    """The addresses in the value of X-Forwarded-For, the nearest last."""
    return [part.strip() for part in forwarded_for.split(",") if part.strip()]


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
