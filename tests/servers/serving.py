"""Serves an application over HTTP in a thread, notes every request, and is at fault on demand.

What the four servers share. What they answer stands in the files named after the providers.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came; `answer` is the status it got. Header names are lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    status: int


@dataclass(slots=True)
class Fault:
    """Answers the next `times` requests whose `METHOD path?query body` contains `match` like this.

    `truncated` cuts the body in the middle, as a whole answer; `cut` ends the connection there;
    `hangs` never answers until the server ends.
    """

    match: str = ""
    times: int = 1
    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Mapping[str, Any] | list[Any] = b""
    truncated: bool = False
    cut: bool = False
    hangs: bool = False
    after: int = 0
    """Lets this many matching requests pass before it begins."""


@dataclass(slots=True)
class Served:
    """A running server: its address, what it was asked, and the faults still to come."""

    url: str
    asked: list[Asked] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def count(self, text: str = "") -> int:
        """Requests whose `METHOD path?query` contains `text`."""
        return sum(text in f"{one.method} {one.path}?{one.query}" for one in self.asked)


def _noting(app: App, served: Served) -> App:
    async def noting(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        status = 0

        async def replay() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        query = scope["query_string"].decode()
        line = f"{scope['method']} {scope['path']}?{query} {body.decode('utf-8', 'replace')}"
        fault = _fault(served, line)
        if fault is None:
            await app(scope, replay, watch)
        else:
            await _misbehave(fault, served, watch)
        headers = {n.decode().lower(): v.decode() for n, v in scope["headers"]}
        served.asked.append(Asked(scope["method"], scope["path"], query, headers, body, status))

    return noting


def _fault(served: Served, line: str) -> Fault | None:
    for fault in served.faults:
        if fault.match in line and fault.times > 0:
            if fault.after > 0:
                fault.after -= 1
                continue
            fault.times -= 1
            return fault
    return None


async def _misbehave(fault: Fault, served: Served, send: Send) -> None:
    import asyncio

    while fault.hangs and not served.ended.is_set():  # noqa: ASYNC110 - a thread's event
        await asyncio.sleep(0.02)
    body = fault.body if isinstance(fault.body, bytes) else json.dumps(fault.body).encode()
    headers = [(n.lower().encode(), v.encode()) for n, v in fault.headers.items()]
    if not any(name == b"content-type" for name, _ in headers):
        headers.append((b"content-type", b"application/json; charset=utf-8"))
    if fault.truncated:
        body = (body or b'[{"id": 1, "title": "cut in the midd')[: max(1, len(body) // 2 or 30)]
    if fault.cut:
        # Promises more than is sent, at which the server closes the connection.
        headers.append((b"content-length", str(len(body) + 100).encode()))
        await send({"type": "http.response.start", "status": fault.status, "headers": headers})
        await send({"type": "http.response.body", "body": body or b"{", "more_body": True})
        return
    await send({"type": "http.response.start", "status": fault.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@contextmanager
def serve(app: App, *, port: int = 0) -> Iterator[Served]:
    """Runs the application on a free port of 127.0.0.1 until the block ends."""
    served = Served("")
    config = uvicorn.Config(
        _noting(app, served),
        host="127.0.0.1",
        port=port,
        log_level="critical",
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    started = threading.Event()
    startup = server.startup

    async def tell(sockets: Any = None) -> None:
        await startup(sockets)
        started.set()

    server.startup = tell  # type: ignore[method-assign]
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    if not started.wait(10):
        raise RuntimeError("the test server did not start")
    served.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield served
    finally:
        served.ended.set()
        server.should_exit = True
        thread.join(10)
