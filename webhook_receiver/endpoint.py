"""`POST /webhooks/{provider}` and `/webhooks/{provider}/{installation}`: read, verify, store, answer,
in this order. The first verifies with the app's own secret, the second with that installation's alone.

A raw ASGI endpoint: it needs neither a request object nor a response object.
"""

from __future__ import annotations

import asyncio
import logging
import secrets as chance
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime

import msgspec
from starlette.types import Receive, Scope, Send

from lightfast_pipelines.providers.contract import Accepted, Provider, Refused, Secret
from lightfast_pipelines.store.inbox import Delivery, partition_date_of
from webhook_receiver.body import (
    RETRY_AFTER_SECONDS,
    ClientGone,
    IncomingBody,
    Patience,
    Refusal,
    answer,
    answer_unread,
    has_body,
)
from webhook_receiver.installations import InstallationKeys, InstallationSecrets
from webhook_receiver.limits import LARGE_BODY, Budget, Limits
from webhook_receiver.writer import Unavailable, Unstorable, Writer

PREFIX = "/webhooks/"
NEW = b'{"received":true,"duplicate":false}'
DUPLICATE = b'{"received":true,"duplicate":true}'
RETRY_AFTER = (b"retry-after", b"%d" % RETRY_AFTER_SECONDS)

log = logging.getLogger("webhook_receiver")


class Webhooks:
    """The endpoint of every provider. `clock` gives the time of receipt."""

    def __init__(
        self,
        *,
        writer: Writer,
        providers: Mapping[str, Provider],
        secrets: Mapping[str, Sequence[Secret]],
        installations: InstallationSecrets,
        limits: Limits,
        partitions_start: date,
        clock: Callable[[], datetime],
    ) -> None:
        self._writer = writer
        self._providers = providers
        self._secrets = {
            name: tuple(s for s in secrets.get(name, ()) if s.value) for name in providers
        }
        self._installations = installations
        self._limits = limits
        self._budget = Budget(limits.max_inflight_bytes)
        self._patience = Patience(limits.body_timeout_seconds)
        self._sweeper: asyncio.Task[None] | None = None
        self._partitions_start = partitions_start
        self._clock = clock
        # One: a parsed body of 25 MiB takes many times its size.
        self._large_bodies = ThreadPoolExecutor(1, thread_name_prefix="large-body")

    def start(self) -> None:
        self._sweeper = asyncio.create_task(self._patience.sweep(), name="slow clients")

    def close(self) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
        self._large_bodies.shutdown(wait=False, cancel_futures=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        name, slash, installation = scope["path"][len(PREFIX) :].partition("/")
        provider = self._providers.get(name)
        line: dict[str, object] = {"provider": name if provider else None}
        unopened = 0
        body = IncomingBody(receive, self._limits, self._budget, self._patience)
        try:
            if provider is None:
                raise Refusal(404, "no such provider", drain=True)
            if scope["method"] != "POST":
                raise Refusal(405, "send a POST", drain=True)
            secrets: Sequence[Secret] = self._secrets[name]
            if slash:
                line["installation"] = installation
                found = await self._keys_of(name, installation)
                secrets, unopened = found.secrets, found.unopened
            if not secrets and not unopened:
                raise Refusal(401, "not verified", reason="no secret is set", drain=True)
            if not secrets:
                raise _not_opened(drain=True)
            new = await self._take_in(provider, secrets, await body.read(scope), scope, line)
            await answer(send, 200, NEW if new else DUPLICATE)
            line["status"] = 200
        except Refusal as refused:
            # What no opened secret verifies may be signed with the one that cannot be opened.
            refusal = _not_opened() if refused.status == 401 and unopened else refused
            line |= {"status": refusal.status, "reason": refusal.reason}
            # Before the answer, which may wait for a client that is still sending.
            body.release()
            await _refuse(scope, receive, send, refusal)
        except Unavailable:
            line |= {"status": 503, "reason": "database away"}
            await answer(send, 503, _error("the database is away: try again"), RETRY_AFTER)
        except ClientGone:
            line |= {"status": 499, "reason": "client hung up"}
        except asyncio.CancelledError:
            line |= {"status": 499, "reason": "ended before it was answered"}
            raise
        except Exception as error:
            number = chance.token_hex(8)
            line |= {"status": 500, "id": number, "reason": "unexpected error"}
            if not isinstance(error, Unstorable):
                log.error("unexpected error", exc_info=error, extra={"fields": {"id": number}})
            await answer(send, 500, _error("unexpected error", id=number))
        finally:
            line |= {"bytes": body.received, "ms": round((time.perf_counter() - started) * 1000, 1)}
            body.release()
            log.info("delivery", extra={"fields": line})

    async def _keys_of(self, name: str, installation: str) -> InstallationKeys:
        try:
            found = await self._installations.find(name, installation)
        except Unavailable:
            away = "the database is away: try again"
            raise Refusal(503, away, reason="database away", drain=True) from None
        if found is None:
            raise Refusal(404, "no such installation", drain=True)
        return found

    async def _take_in(
        self,
        provider: Provider,
        secrets: Sequence[Secret],
        body: bytes,
        scope: Scope,
        line: dict[str, object],
    ) -> bool:
        received_at = self._clock()
        headers, repeated = _headers(scope)
        if len(body) > LARGE_BODY:
            loop = asyncio.get_running_loop()
            found = await loop.run_in_executor(
                self._large_bodies, self._verify, provider, secrets, body, headers, received_at
            )
        else:
            found = self._verify(provider, secrets, body, headers, received_at)
        if isinstance(found, Refused):
            raise Refusal(found.status, found.message)
        for name in sorted(repeated & provider.kept_headers):
            raise Refusal(400, f"header {name} is given more than once")
        line["delivery_id"] = found.delivery_id
        line["event_type"] = found.event_type
        new = await self._writer.store(found)
        if not new:
            line["duplicate"] = True
        return new

    def _verify(
        self,
        provider: Provider,
        secrets: Sequence[Secret],
        body: bytes,
        headers: Mapping[str, str],
        received_at: datetime,
    ) -> Delivery | Refused:
        found = provider.accept(body, headers, secrets, now=received_at)
        if not isinstance(found, Accepted):
            return found
        try:
            return Delivery(
                provider=provider.name,
                delivery_id=found.delivery_id,
                event_type=found.event_type,
                body=body,
                headers={n: headers[n] for n in provider.kept_headers if n in headers},
                received_at=received_at,
                partition_date=partition_date_of(
                    received_at, start=self._partitions_start, now=received_at
                ),
                ingestion_source="webhook",
                verified_by=found.verified_by,
            )
        except ValueError as error:
            # Only the ids' length and presence are checked there; the message names no value.
            return Refused(400, str(error))


def _headers(scope: Scope) -> tuple[dict[str, str], set[str]]:
    """The headers, and the names of those that came more than once: their values are joined by a comma
    (RFC 9110, 5.3), which no signature and no name of an event survives."""
    headers: dict[str, str] = {}
    repeated: set[str] = set()
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if name in headers:
            repeated.add(name)
            value = f"{headers[name]}, {value}"
        headers[name] = value
    return headers, repeated


async def _refuse(scope: Scope, receive: Receive, send: Send, refusal: Refusal) -> None:
    headers: list[tuple[bytes, bytes]] = []
    if refusal.status == 503:
        headers.append(RETRY_AFTER)
    if refusal.status == 405:
        headers.append((b"allow", b"POST"))
    if refusal.status == 408:
        headers.append((b"connection", b"close"))
    content = b"" if scope["method"] == "HEAD" else _error(refusal.message)
    if refusal.drain and has_body(scope):
        await answer_unread(receive, send, refusal.status, content, *headers)
    else:
        await answer(send, refusal.status, content, *headers)


def _not_opened(*, drain: bool = False) -> Refusal:
    """Tells nothing of the key: that is for the log and /readyz."""
    return Refusal(
        503,
        "not ready: try again",
        reason="the installation's secret cannot be opened",
        drain=drain,
    )


def _error(message: str, **more: str) -> bytes:
    return msgspec.json.encode({"error": message, **more})
