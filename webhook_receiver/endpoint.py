"""`POST /webhooks/{provider}` and `/webhooks/{provider}/{installation}`: read, verify, store, answer.

The first path verifies with the app's own secret, the second only with that installation's secret.
The gate calls it directly: an HTTP parser and ASGI's messages took a third of the receiver's time.
"""

from __future__ import annotations

import asyncio
import logging
import secrets as chance
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from typing import Any

import msgspec

from lightfast_pipelines.providers.webhook_contract import Accepted, Provider, Refused, Secret
from lightfast_pipelines.store.deliveries import Delivery, partition_date_of
from webhook_receiver.answers import RETRY_AFTER, Answer
from webhook_receiver.installations import InstallationKeys, InstallationSecrets
from webhook_receiver.limits import LARGE_BODY
from webhook_receiver.logs import log_delivery, log_refusal
from webhook_receiver.metrics import Metrics
from webhook_receiver.refusal import Refusal
from webhook_receiver.request import Request
from webhook_receiver.writer import Unavailable, Unstorable, Writer

PREFIX = "/webhooks/"
NEW = Answer(200, b'{"received":true,"duplicate":false}')
DUPLICATE = Answer(200, b'{"received":true,"duplicate":true}')

log = logging.getLogger("webhook_receiver")


class Webhooks:
    """The endpoint of all providers. `clock` gives the time of receipt."""

    def __init__(
        self,
        *,
        writer: Writer,
        providers: Mapping[str, Provider],
        secrets: Mapping[str, Sequence[Secret]],
        installations: InstallationSecrets,
        partitions_start: date,
        clock: Callable[[], datetime],
        metrics: Metrics,
    ) -> None:
        self._writer = writer
        self._providers = providers
        self._own_keys = {
            name: InstallationKeys([s for s in secrets.get(name, ()) if s.value])
            for name in providers
        }
        self._installations = installations
        self._partitions_start = partitions_start
        self._clock = clock
        self._metrics = metrics
        # A single thread: parsing a body of 25 MiB takes many times that in memory.
        self._large_bodies = ThreadPoolExecutor(1, thread_name_prefix="large-body")

    def close(self) -> None:
        self._large_bodies.shutdown(wait=False, cancel_futures=True)

    async def answer(self, request: Request) -> Answer:
        """Stores a delivery, or says why not. Raises nothing but CancelledError."""
        line: dict[str, Any] = {"provider": None}
        try:
            provider, keys = await self._keys_for(request, line)
            new = await self._take_in(provider, keys, request, line)
            answer = NEW if new else DUPLICATE
            line["status"] = 200
        except Refusal as refusal:
            line |= {"status": refusal.status, "reason": refusal.reason}
            answer = _refusal(request, refusal)
        except Unavailable:
            line |= {"status": 503, "reason": "database away"}
            answer = Answer(503, _error("the database is away: try again"), RETRY_AFTER)
        except asyncio.CancelledError:
            line |= {"status": 499, "reason": "ended before it was answered"}
            raise
        except Exception as error:
            number = chance.token_hex(8)
            line |= {"status": 500, "id": number, "reason": "unexpected error"}
            if not isinstance(error, Unstorable):
                log.error("unexpected error", exc_info=error, extra={"fields": {"id": number}})
            answer = Answer(500, _error("unexpected error", id=number))
        finally:
            seconds = time.monotonic() - request.began
            self._note(request, line, seconds)
        return answer

    def _note(self, request: Request, line: dict[str, Any], seconds: float) -> None:
        size, status = len(request.body), line.get("status", 500)
        line |= {"bytes": size, "ms": round(seconds * 1000, 1)}
        is_duplicate = "duplicate" in line
        self._metrics.answered(
            line["provider"], status, is_duplicate=is_duplicate, size=size, seconds=seconds
        )
        if status == 200:
            log_delivery(log, line)
        else:
            log_refusal(log, request.sender.address, line)

    async def _keys_for(
        self, request: Request, line: dict[str, object]
    ) -> tuple[Provider, InstallationKeys]:
        """The provider in the path, and the secrets that may verify the delivery. Raises Refusal."""
        name, slash, installation = request.path[len(PREFIX) :].partition("/")
        provider = self._providers.get(name)
        if provider is None:
            raise Refusal(404, "no such provider")
        line["provider"] = name
        if request.head.method != "POST":
            raise Refusal(405, "send a POST")
        keys = self._own_keys[name]
        if slash:
            line["installation"] = installation
            keys = await self._keys_of(name, installation)
        if keys.secrets:
            return provider, keys
        if keys.unopened:
            raise _not_opened()
        raise Refusal(401, "not verified", reason="no secret is set")

    async def _keys_of(self, name: str, installation: str) -> InstallationKeys:
        try:
            keys = await self._installations.find(name, installation)
        except Unavailable:
            away = "the database is away: try again"
            raise Refusal(503, away, reason="database away") from None
        if keys is None:
            raise Refusal(404, "no such installation")
        return keys

    async def _take_in(
        self,
        provider: Provider,
        keys: InstallationKeys,
        request: Request,
        line: dict[str, object],
    ) -> bool:
        received_at = self._clock()
        body, headers = request.body, request.head.headers
        if len(body) > LARGE_BODY:
            loop = asyncio.get_running_loop()
            result = await loop.run_in_executor(
                self._large_bodies, self._verify, provider, keys.secrets, body, headers, received_at
            )
        else:
            result = self._verify(provider, keys.secrets, body, headers, received_at)
        if isinstance(result, Refused):
            # It may be signed with the secret that cannot be opened.
            if result.status == 401 and keys.unopened:
                raise _not_opened()
            raise Refusal(result.status, result.message)
        for name in sorted(request.head.repeated & provider.kept_headers):
            raise Refusal(400, f"header {name} is given more than once")
        request.sender.verified()
        line["delivery_id"] = result.delivery_id
        line["event_type"] = result.event_type
        new = await self._writer.store(result)
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
        accepted = provider.accept(body, headers, secrets, now=received_at)
        if not isinstance(accepted, Accepted):
            return accepted
        try:
            return Delivery(
                provider=provider.name,
                delivery_id=accepted.delivery_id,
                event_type=accepted.event_type,
                body=body,
                headers={n: headers[n] for n in provider.kept_headers if n in headers},
                received_at=received_at,
                partition_date=partition_date_of(
                    received_at, start=self._partitions_start, now=received_at
                ),
                ingestion_source="webhook",
                verified_by=accepted.verified_by,
            )
        except ValueError as error:
            # Delivery checks only that ids are present and not too long; the message quotes none.
            return Refused(400, str(error))


def _refusal(request: Request, refusal: Refusal) -> Answer:
    headers = {503: RETRY_AFTER, 405: b"allow: POST\r\n"}.get(refusal.status, b"")
    content = b"" if request.head.method == "HEAD" else _error(refusal.message)
    return Answer(refusal.status, content, headers)


def _not_opened() -> Refusal:
    """Tells the sender nothing about the key; the log and /readyz do."""
    reason = "the installation's secret cannot be opened"
    return Refusal(503, "not ready: try again", reason=reason)


def _error(message: str, **more: str) -> bytes:
    return msgspec.json.encode({"error": message, **more})
