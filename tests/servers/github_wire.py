"""Requests and replies, Link headers and limits of all of GitHub's endpoints.

docs.github.com: "Using pagination in the REST API", "Rate limits for the REST API".
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec

from tests.servers.serving import Receive, Scope, Send

Clock = Callable[[], datetime]
DOCS = "https://docs.github.com/rest"
_MOST = 100
_DEEPEST = 10_000


def now_utc() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Request:
    """`base` is the address of the server in the request. `path` has no leading slash."""

    method: str
    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    base: str

    @property
    def token(self) -> str | None:
        kind, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if kind.lower() in ("bearer", "token") and token else None


@dataclass(slots=True)
class Reply:
    """`data` is encoded as JSON. `cost` counts against the limit; `free` replies have none at all."""

    status: int
    data: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    cost: int = 1
    free: bool = False


def fault(status: int, message: str, **more: Any) -> Reply:
    return Reply(status, {"message": message, **more, "documentation_url": DOCS})


async def request_of(scope: Scope, receive: Receive) -> Request:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
    params = dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True))
    base = f"{scope.get('scheme', 'http')}://{headers.get('host', 'localhost')}"
    return Request(scope["method"], scope["path"].strip("/"), params, headers, body, base)


async def send_reply(send: Send, reply: Reply) -> None:
    body = b"" if reply.data is None else msgspec.json.encode(reply.data)
    headers = {"content-type": "application/json; charset=utf-8", **reply.headers}
    headers["content-length"] = str(len(body))
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})


def tagged(request: Request, reply: Reply) -> Reply:
    """Adds an ETag; an answer that the client has already costs nothing."""
    if request.method != "GET" or reply.status != 200:
        return reply
    body = msgspec.json.encode(reply.data)
    etag = f'W/"{zlib.crc32(body):08x}{len(body):x}"'
    if request.headers.get("if-none-match") == etag:
        kept = {name: value for name, value in reply.headers.items() if name == "link"}
        return Reply(304, None, {**kept, "etag": etag}, cost=0)
    return Reply(200, msgspec.Raw(body), {**reply.headers, "etag": etag}, reply.cost)


@dataclass(slots=True)
class Bucket:
    """One token's limit of one pool, refilled an hour after its first use."""

    limit: int
    used: int = 0
    resets_at: datetime = datetime(1970, 1, 1, tzinfo=UTC)

    def at(self, now: datetime) -> Bucket:
        if now >= self.resets_at:
            self.used, self.resets_at = 0, now + timedelta(hours=1)
        return self

    @property
    def left(self) -> int:
        return max(0, self.limit - self.used)

    def headers(self, pool: str) -> dict[str, str]:
        return {
            "x-ratelimit-limit": str(self.limit),
            "x-ratelimit-remaining": str(self.left),
            "x-ratelimit-used": str(self.used),
            "x-ratelimit-reset": str(int(self.resets_at.timestamp())),
            "x-ratelimit-resource": pool,
        }


def page_size(request: Request) -> int:
    asked = request.params.get("per_page", "30")
    return min(_MOST, max(1, int(asked))) if asked.isdigit() else 30


def numbered(
    request: Request, repository: int, tail: str, found: Sequence[Any], most: int | None = None
) -> tuple[Sequence[Any], dict[str, str]]:
    """A page by its number, and the Link header; after the last page there is nothing.

    `most` is the number of items that can be listed at all.
    """
    size, asked = page_size(request), request.params.get("page", "1")
    page = max(1, int(asked)) if asked.isdigit() else 1
    count = len(found) if most is None else min(most, len(found))
    last = max(1, -(-count // size))
    pages: dict[str, int] = {}
    if page > 1:
        pages["prev"] = min(page - 1, last)
    if page < last:
        pages |= {"next": page + 1, "last": last}
    if page > 1:
        pages["first"] = 1
    links = {
        relation: _address(request, repository, tail, page=str(n)) for relation, n in pages.items()
    }
    return found[(page - 1) * size : min(page * size, count)], _link(links)


def by_cursor(
    request: Request, repository: int, tail: str, found: Sequence[tuple[str, Any]]
) -> tuple[Sequence[Any], dict[str, str]] | Reply:
    """As GitHub pages its list of issues: `next` has a cursor and no page is said to be the last;
    numbers of pages go only so deep. `found`: each with the key by which they are sorted."""
    size, asked = page_size(request), request.params.get("page", "1")
    page = max(1, int(asked)) if asked.isdigit() else 1
    cursor = request.params.get("after")
    begin = (page - 1) * size
    if cursor is not None:
        begin = behind(cursor, [key for key, _ in found])
        if begin < 0:
            return fault(422, "The cursor is invalid", errors=[])
    elif page * size >= _DEEPEST:
        return fault(
            422,
            "Pagination with the page parameter is not supported for large datasets, please use "
            "cursor based pagination (after/before)",
            errors=[],
        )
    page_of = found[begin : begin + size]
    chosen = [one for _, one in page_of]
    if begin + size >= len(found):
        return chosen, {}
    after = cursor_at(page_of[-1][0])
    following = _address(request, repository, tail, after=after, page=str(page + 1))
    return chosen, _link({"next": following})


def cursor_at(key: str) -> str:
    return base64.b64encode(f"cursor:v2:{key}".encode()).decode()


def behind(cursor: str, keys: Sequence[str]) -> int:
    """The position after the cursor, even if its item has moved; -1 without a cursor."""
    try:
        told = base64.b64decode(cursor, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return -1
    if not told.startswith("cursor:v2:"):
        return -1
    last = told.removeprefix("cursor:v2:")
    falls = len(keys) > 1 and keys[0] > keys[-1]
    return next(
        (n for n, each in enumerate(keys) if (each < last if falls else each > last)), len(keys)
    )


def _address(request: Request, repository: int, tail: str, **params: str) -> str:
    told = {**request.params, **params}
    return f"{request.base}/repositories/{repository}/{tail}?{urlencode(told)}"


def _link(links: Mapping[str, str]) -> dict[str, str]:
    if not links:
        return {}
    return {
        "link": ", ".join(f'<{address}>; rel="{relation}"' for relation, address in links.items())
    }
