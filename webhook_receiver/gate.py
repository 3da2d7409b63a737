"""One connection: completes and bounds requests, and has them answered, one at a time.

A request to the webhooks goes straight to their endpoint: its head is checked and parsed here anyway,
and its body is complete. Any other (health and readiness) goes on to uvicorn's own protocol, without
its body. The gate stands between the transport and that protocol and depends on the internals of
neither: both speak asyncio's Protocol and Transport. The next request waits until this one is answered.
So nothing behind the gate ever waits for a client.

Why not another server? Measured on two cores with a route that only reads 10 KB: uvicorn with
httptools answers 26,400 requests a second, but keeps every trailer (60 MB cost 530 MB of memory) and
all pipelined requests (18 MB cost 610 MB), and never ends an unfinished head. uvicorn with h11 bounds
both and answers 11,300; hypercorn 7,300. granian bounds both and answers 31,800 but, like the others,
limits neither connections per address nor how slowly a body may come, and displaces nobody: 255 slow
clients would block it as well. All of that has to happen before the parser in any case.
"""

from __future__ import annotations

import asyncio
import logging
import time
from enum import Enum, auto
from typing import Any, cast

from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from webhook_receiver.answers import AnswerTransport, refusal_bytes
from webhook_receiver.app import GATE
from webhook_receiver.endpoint import PREFIX, Webhooks
from webhook_receiver.framing import HEAD_END, Head, addresses, parse_head
from webhook_receiver.incoming_body import IncomingBody
from webhook_receiver.logs import log_refusal
from webhook_receiver.refusal import Refusal
from webhook_receiver.request import Request
from webhook_receiver.room import Room, address_group

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

log = logging.getLogger("webhook_receiver")


class Phase(Enum):
    IDLE = auto()
    HEAD = auto()
    BODY = auto()
    ANSWERING = auto()
    """A request is complete; what arrives meanwhile is kept, within bounds."""
    WRITING = auto()
    """The answer is written, and the client has not read it yet."""
    LINGERING = auto()
    """Refused; what still arrives is dropped for a moment, so that the client reads the reason."""
    CLOSED = auto()


class Gate(asyncio.Protocol):
    """uvicorn creates one for each connection, as its HTTP protocol (`Config.http`)."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        room: Room,
        webhooks: Webhooks,
    ) -> None:
        self._config = config
        self._server_state = server_state
        self._app_state = app_state
        self._loop = _loop
        self._room = room
        self._limits = room.limits
        self._webhooks = webhooks
        self._has_served = False
        self._is_storing = False
        """Whether the endpoint has the body of a request, even if the client is gone."""
        self._inner: HttpToolsProtocol | None = None
        self._phase = Phase.IDLE
        self._buffer = bytearray()
        """The start of an incomplete head, or what arrived while a request was answered."""
        self._incoming: IncomingBody | None = None
        self._blank_lines = 0
        self._write_is_paused = False
        self._reading_is_paused = False
        self._deadline = self._began = 0.0
        self.peer = self.address = ""
        self.is_proxy = False
        self.is_verified = False
        self.held = 0
        self.is_last = False
        """Whether the connection ends after the current answer."""

    # Called by asyncio.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(
            asyncio.Transport, transport
        )  # uvloop's transport is not a subclass of it
        peername = transport.get_extra_info("peername")
        peer = str(peername[0]) if peername else ""
        self.peer = self.address = address_group(peer)
        self.is_proxy = self._room.is_trusted(peer)
        self._server_state.connections.add(cast(Any, self))
        if not self._room.enter(self):
            self._note(503, "no place for another connection")
            self._close()
            return
        # An answer is a hundred bytes: if it is not written at once, the client does not read.
        self._transport.set_write_buffer_limits(high=0)
        now = self._room.clock()
        self._ends_at = now + self._limits.life_seconds
        self._deadline = now + self._limits.head_seconds

    def connection_lost(self, exc: Exception | None) -> None:
        if self._phase is Phase.BODY:
            self._note(499, "client hung up")
        self._phase = Phase.CLOSED
        # Else a client that sends and hangs up, again and again, could fill the memory.
        self._room.leave(self, gives_back=not self._is_storing)
        self._forget()
        self._server_state.connections.discard(cast(Any, self))
        if self._inner is not None:
            self._inner.connection_lost(exc)

    def eof_received(self) -> bool:
        # A client may close its sending half and still wait for its answer.
        self.is_last = True
        return self._phase in (Phase.ANSWERING, Phase.WRITING)

    def pause_writing(self) -> None:
        self._write_is_paused = True
        self._deadline = self._room.clock() + self._limits.answer_seconds
        if self._inner is not None:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._write_is_paused = False
        if self._inner is not None:
            self._inner.resume_writing()
        if self._phase is Phase.WRITING:
            self._next_request()

    def data_received(self, data: bytes) -> None:
        try:
            if self._phase is Phase.BODY:
                self._take_body(data)
            elif self._phase in (Phase.IDLE, Phase.HEAD):
                self._take_head(data)
            elif self._phase in (Phase.ANSWERING, Phase.WRITING):
                self._keep_for_later(data)
        except Refusal as refusal:
            self.refuse(refusal.status, refusal.message)

    # Called by uvicorn's server when it is told to stop.

    def shutdown(self) -> None:
        self.is_last = True
        if self._phase in (Phase.IDLE, Phase.WRITING):
            self._close()

    # Called by the room.

    def displace(self) -> None:
        if self._phase in (Phase.HEAD, Phase.BODY):
            self._note(503, "no room: another needed it")
            self._transport.write(refusal_bytes(503, "busy: try again"))
        self._close()

    def look_at_clock(self, now: float) -> None:
        match self._phase:
            case Phase.BODY:
                if self._incoming is not None and self._incoming.is_late(now):
                    self.refuse(408, "the body did not arrive in time", linger=False)
            case Phase.HEAD:
                if now > self._deadline:
                    self.refuse(408, "the head did not arrive in time", linger=False)
            case Phase.IDLE:
                if now > self._deadline:
                    if not self._has_served:
                        self.refuse(408, "no request came", linger=False)
                    else:
                        self._close()
            case Phase.ANSWERING if not self._write_is_paused:
                return
            case _:
                if now > self._deadline:
                    self._transport.abort()

    # Called by the endpoint, and by the application, which finds the gate in its scope's state.

    def verified(self) -> None:
        """The signature of the current request is valid."""
        self.is_verified = True
        self._room.remember(self.address)

    def answered(self) -> None:
        """The current request is completely answered."""
        if self._phase is not Phase.ANSWERING:
            return
        self._room.give_back(self)
        if self.is_last:
            self._close()
            return
        self._phase = Phase.WRITING
        self._room.wait(self)
        if not self._write_is_paused:
            self._next_request()

    # Called by uvicorn's protocol.

    def close_after_answer(self) -> None:
        """uvicorn was asked to end the connection, or could not read what arrived."""
        if self._phase is Phase.ANSWERING:
            self._close()
        else:
            self.shutdown()

    # From bytes to a request.

    def _take_head(self, data: bytes) -> None:
        if self._phase is Phase.IDLE:
            self._phase = Phase.HEAD
            self._began = time.monotonic()
            # The first head's time counts from connecting.
            if self._has_served:
                self._deadline = self._room.clock() + self._limits.head_seconds
        if self._buffer:
            searched = max(len(self._buffer) - len(HEAD_END) + 1, 0)
            self._buffer += data
            if len(self._buffer) <= self._limits.max_head_bytes and not (
                self._buffer.startswith(b"\r\n") or self._buffer.find(HEAD_END, searched) >= 0
            ):
                return
            data = bytes(self._buffer)
            self._buffer.clear()
        while data.startswith(b"\r\n"):
            self._blank_lines += 1
            if self._blank_lines > self._limits.max_blank_lines:
                raise Refusal(400, "blank lines instead of a request")
            data = data[2:]
        end = data.find(HEAD_END)
        size = len(data) if end < 0 else end + len(HEAD_END)
        if size > self._limits.max_head_bytes:
            raise Refusal(431, f"the head is larger than {self._limits.max_head_bytes} bytes")
        if end < 0:
            self._buffer += data
            return
        head = parse_head(data[:size], self._limits)
        if self.is_proxy:
            # Each request may be another sender's.
            forwarded = addresses(head.headers.get("x-forwarded-for", ""))
            self.address = self._room.sender_of(self.peer, forwarded)
            self.is_verified = False
        if head.length == len(data) - size:
            # Nearly every delivery: all of it came at once.
            self._hold(len(data) - size)
            self._pass_on(head, data[size:])
            return
        self._begin_body(head, data[size:])

    def _begin_body(self, head: Head, data: bytes) -> None:
        self._phase = Phase.BODY
        self._incoming = IncomingBody(head, self._limits, self._room.clock())
        if head.wants_continue and not data:
            self._transport.write(_CONTINUE)
        self._take_body(data)

    def _take_body(self, data: bytes) -> None:
        incoming = self._incoming
        assert incoming is not None
        size_before = len(incoming.content)
        is_complete = incoming.feed(data)
        self._hold(len(incoming.content) - size_before)
        if is_complete:
            self._forget()
            self._pass_on(incoming.head, bytes(incoming.content))
            if incoming.rest:
                self._keep_for_later(incoming.rest)

    def _hold(self, size: int) -> None:
        if size and not self._room.take(self, size):
            raise Refusal(503, "busy: try again")

    def _pass_on(self, head: Head, body: bytes) -> None:
        self._phase = Phase.ANSWERING
        self._has_served = True
        self._room.stop_waiting(self)
        self._blank_lines = 0
        if head.is_last or self._room.clock() > self._ends_at:
            self.is_last = True
        path = head.path
        if path.startswith(PREFIX):
            request = Request(head, path, body, self, self._began)
            self._is_storing = True
            tasks = self._server_state.tasks
            task = asyncio.get_running_loop().create_task(self._answer(request))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            return
        if self._inner is None:
            self._inner = self._make_inner()
        self._inner.data_received(head.without_body())

    async def _answer(self, request: Request) -> None:
        try:
            answer = await self._webhooks.answer(request)
        except Exception as error:
            # Not even the endpoint's last resort worked (its log, say): nobody is to wait for ever.
            log.error("not answered", exc_info=error)
            self._transport.abort()
            return
        finally:
            self._is_storing = False
            self._room.give_back(self)
        if self._phase is Phase.ANSWERING:
            self._transport.write(answer.written(is_last=self.is_last))
            self.answered()

    def _make_inner(self) -> HttpToolsProtocol:
        inner = HttpToolsProtocol(
            config=self._config,
            server_state=self._server_state,
            # The application finds it in its scope's state.
            app_state=self._app_state | {GATE: self},
            _loop=self._loop,
        )
        inner.connection_made(AnswerTransport(self._transport, self.close_after_answer))
        return inner

    def _keep_for_later(self, data: bytes) -> None:
        """Keeps the next request out of the parser, where it would cost forty times its size."""
        if not self._reading_is_paused:
            self._reading_is_paused = True
            self._transport.pause_reading()
        self._buffer += data
        if len(self._buffer) > self._limits.max_head_bytes:
            self._buffer.clear()
            self.is_last = True

    def _next_request(self) -> None:
        if self.is_last:
            self._close()
            return
        self._phase = Phase.IDLE
        self._deadline = self._room.clock() + self._limits.idle_seconds
        if self._reading_is_paused:
            self._reading_is_paused = False
            self._transport.resume_reading()
        if self._buffer:
            data = bytes(self._buffer)
            self._buffer.clear()
            self.data_received(data)

    # The end of the connection.

    def refuse(self, status: int, message: str, *, linger: bool = True) -> None:
        """Answers a request that is not passed on, and ends the connection."""
        self._note(status, message)
        self._transport.write(refusal_bytes(status, message))
        self._forget()
        self._room.give_back(self)
        if not linger:
            self._close()
            return
        # Closing while the client still sends resets the connection: many then never read the reason.
        self._phase = Phase.LINGERING
        self._deadline = self._room.clock() + self._limits.linger_seconds
        self._transport.write_eof()

    def _close(self) -> None:
        self._phase = Phase.CLOSED
        self._forget()
        # Do not wait for a client that does not read.
        if self._write_is_paused:
            self._transport.abort()
        else:
            self._transport.close()

    def _forget(self) -> None:
        self._incoming = None
        self._buffer.clear()

    def _note(self, status: int, reason: str) -> None:
        self._room.metrics.refused(status)
        log_refusal(log, self.address, {"status": status, "reason": reason})
