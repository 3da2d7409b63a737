"""The receiver as an ASGI application: its routes, and the tasks that live as long as it does.

Listening, signals and settings are in `server.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
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
from webhook_receiver.endpoint import Webhooks
from webhook_receiver.installations import InstallationSecrets
from webhook_receiver.metrics import Metrics
from webhook_receiver.refusal import RETRY_AFTER_SECONDS
from webhook_receiver.writer import Unavailable, Writer

GATE = "lightfast.gate"
"""The key under which the state of a request's scope holds its gate."""


def utc_now() -> datetime:
    return datetime.now(UTC)


class Receiver(Starlette):
    """What is served behind the gate: the webhooks, which the gate calls itself, and all other routes.

    The gate is told when a request to one of these is answered.
    """

    def __init__(self, webhooks: Webhooks, **options: Any) -> None:
        super().__init__(**options)
        self.webhooks = webhooks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        gate = scope["state"][GATE]
        await super().__call__(scope, receive, _with_close(send) if gate.is_last else send)
        gate.answered()


def _with_close(send: Send) -> Send:
    """Announces that the connection ends, so that the client sends nothing more on it."""

    async def send_with_close(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], (b"connection", b"close")]
        await send(message)

    return send_with_close


def create_app(
    *,
    dsn: str | Callable[[], str],
    providers: Mapping[str, Provider],
    secrets: Mapping[str, Sequence[Secret]],
    keys: Keys | None = None,
    partitions_start: date = date(2008, 1, 1),
    clock: Callable[[], datetime] = utc_now,
    metrics: Metrics | None = None,
    connects_within: float = 0.0,
) -> Receiver:
    """The application. `dsn` is a libpq URL with the receiver's rights, or a function that returns it.

    The function is called in a thread before each connection and may block. `secrets` are grouped by
    provider; a provider without one refuses every delivery. `keys` open the installations' secrets.
    `metrics` counts what happens. Nothing is accepted before the database is connected, or so many
    seconds are over.
    """
    address = dsn if callable(dsn) else lambda: dsn
    metrics = metrics or Metrics(providers)
    writer = Writer(address, clock, metrics)
    installations = InstallationSecrets(writer, keys)
    webhooks = Webhooks(
        writer=writer,
        providers=providers,
        secrets=secrets,
        installations=installations,
        partitions_start=partitions_start,
        clock=clock,
        metrics=metrics,
    )

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        writer.start()
        await writer.wait_connected(connects_within)
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
            database_time = await writer.ping()
        except Unavailable:
            return _not_ready("database away")
        try:
            fault = await installations.fault()
        except Unavailable:
            # The log says why they cannot be read. Deliveries to the app itself do not need them.
            fault = None
        if fault is not None:
            return _not_ready(fault)
        apart = difference((clock() - database_time).total_seconds())
        # Ready anyway: a receipt is stored with the database's time if ours is later.
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
