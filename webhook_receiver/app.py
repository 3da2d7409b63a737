"""The receiver as an ASGI application: its routes, and what lives as long as it.

Listening, signals and settings are in `server.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, date, datetime
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from lightfast_pipelines.providers.webhook_contract import Provider, Secret
from lightfast_pipelines.store.clocks import difference
from lightfast_pipelines.store.sealed import Keys
from webhook_receiver import logs
from webhook_receiver.body import ClientGone, read_body
from webhook_receiver.endpoint import GATE, PREFIX, Webhooks
from webhook_receiver.installations import InstallationSecrets
from webhook_receiver.refusal import RETRY_AFTER_SECONDS
from webhook_receiver.writer import Unavailable, Writer


def utc_now() -> datetime:
    return datetime.now(UTC)


class Receiver(Starlette):
    """Starlette with a short way to the one route that is in a hurry, to be served behind a gate.

    Its router and middleware were 11 % of the samples of a profile under load; the endpoint answers
    every error itself. The gate bounds what comes and is told when a request is answered.
    """

    def __init__(self, webhooks: Webhooks, **options: Any) -> None:
        super().__init__(**options)
        self._webhooks = webhooks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        gate = scope.get("state", {}).get(GATE)
        if gate is not None and gate.is_last:
            send = _with_close(send)
        if scope["path"].startswith(PREFIX):
            await self._webhooks(scope, receive, send)
        else:
            # No route wants a body, and one that nobody reads would stay as long as the connection.
            with suppress(ClientGone):
                await read_body(receive)
            await super().__call__(scope, receive, send)
        if gate is not None:
            gate.answered()


def _with_close(send: Send) -> Send:
    """Says that the connection ends, so that its client does not send into a closed one."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], (b"connection", b"close")]
        await send(message)

    return sending


def create_app(
    *,
    dsn: str | Callable[[], str],
    providers: Mapping[str, Provider],
    secrets: Mapping[str, Sequence[Secret]],
    keys: Keys | None = None,
    partitions_start: date = date(2008, 1, 1),
    clock: Callable[[], datetime] = utc_now,
) -> Starlette:
    """The application. `dsn` is a libpq URL with the receiver's rights, or a function that gives it.

    The function is called in a thread before each connection; it may block. `secrets` are by
    provider; a provider without one refuses every delivery. `keys` open the installations' own.
    """
    address = dsn if callable(dsn) else lambda: dsn
    writer = Writer(address, clock)
    installations = InstallationSecrets(writer, keys)
    webhooks = Webhooks(
        writer=writer,
        providers=providers,
        secrets=secrets,
        installations=installations,
        partitions_start=partitions_start,
        clock=clock,
    )

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        writer.start()
        log_flusher = asyncio.create_task(_flush_logs(), name="log flusher")
        try:
            yield
        finally:
            await writer.close()
            webhooks.close()
            log_flusher.cancel()
            logs.flush()

    async def ready(_: Request) -> Response:
        try:
            told = await writer.ping()
        except Unavailable:
            return _not_ready("database away")
        try:
            fault = await installations.fault()
        except Unavailable:
            # The log says why they cannot be read; the app's own deliveries need none of them.
            fault = None
        if fault is not None:
            return _not_ready(fault)
        apart = difference((clock() - told).total_seconds())
        # Ready all the same: deliveries are stored, at the latest at the time that the database says.
        return JSONResponse({"ready": True} if apart is None else {"ready": True, "clock": apart})

    app = Receiver(
        webhooks,
        routes=[Route("/healthz", _alive), Route("/readyz", ready)],
        exception_handlers={HTTPException: _http_error},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return app


def _not_ready(reason: str) -> Response:
    retry = {"retry-after": str(RETRY_AFTER_SECONDS)}
    return JSONResponse({"ready": False, "reason": reason}, 503, retry)


async def _flush_logs() -> None:
    while True:
        await asyncio.sleep(logs.FLUSH_SECONDS)
        logs.flush()


async def _alive(_: Request) -> Response:
    return JSONResponse({"alive": True})


async def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail.lower()}, error.status_code, error.headers)
