"""GitHub's logs of deliveries over real HTTP: the App's and a repository hook's, with redelivery.

docs.github.com/en/rest/apps/webhooks: newest first, a cursor in the Link header, 202 for an attempt.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import httpx

from lightfast_pipelines.providers.api_contract import Answer, AnswerOutcome, Call, Limit, Verdict
from lightfast_pipelines.providers.github.webhooks.signature import sign
from tests.backfill.plain import PlainProviderApi
from tests.providers.github.payloads import encoded
from tests.servers.serving import Message, Receive, Scope, Send
from tests.webhook_receiver.serving import SECRET, signed

_OUTCOMES = {
    **dict.fromkeys((401,), AnswerOutcome.CREDENTIAL),
    **dict.fromkeys((403,), AnswerOutcome.FORBIDDEN),
    **dict.fromkeys((404, 410, 451), AnswerOutcome.MISSING),
    **dict.fromkeys((400, 422), AnswerOutcome.INVALID),
}


class HookProviderApi(PlainProviderApi):
    """The simplest contract for the API."""

    def __init__(self) -> None:
        super().__init__(())

    def verdict(self, call: Call, answer: Answer, now: datetime) -> Verdict:
        if answer.status < 300:
            return Verdict(AnswerOutcome.OK)
        if answer.status == 301:
            return Verdict(AnswerOutcome.MOVED, "moved", location=answer.headers["location"])
        reason = answer.data.get("message") if isinstance(answer.data, dict) else None
        message = f"{call.method} {call.path} answered {answer.status}: {reason or 'nothing'}"
        return Verdict(_OUTCOMES.get(answer.status, AnswerOutcome.UNAVAILABLE), message)

    def limits(self, call: Call, answer: Answer, now: datetime) -> Sequence[Limit]:
        left = answer.headers.get("x-ratelimit-remaining")
        if left is None:
            return ()
        limit = float(answer.headers.get("x-ratelimit-limit", "5000"))
        return (Limit(call.pool, limit, float(left), now + timedelta(hours=1)),)


@dataclass(slots=True)
class Try:
    id: int
    guid: str
    event: str
    payload: dict[str, Any]
    at: datetime
    status: int
    again: bool = False


@dataclass(slots=True)
class Hooks:
    """`log` is the path of the log that it serves; `receiver` is where redeliveries go (None: nowhere)."""

    log: str = "/app/hook/deliveries"
    receiver: str | None = None
    tries: list[Try] = field(default_factory=list)
    attempts: list[int] = field(default_factory=list)
    hooks: list[dict[str, Any]] = field(default_factory=list)
    authorizations: set[str] = field(default_factory=set)
    gone: set[int] = field(default_factory=set)
    """Attempts whose body the log has lost."""
    _next: int = 1_000

    def deliver(
        self, client: httpx.Client | None, event: str, payload: dict[str, Any], at: datetime
    ) -> Try:
        """Sends a delivery to the receiver; with `client` None it gets lost."""
        guid = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{event}{encoded(payload)!r}{at}"))
        attempt = Try(self._number(), guid, event, payload, at, 502)
        if client is not None:
            attempt.status = client.post(
                "/webhooks/github", content=encoded(payload), headers=_headers(attempt)
            ).status_code
        self.tries.append(attempt)
        return attempt

    def _number(self) -> int:
        self._next += 1
        return self._next

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = {n.decode().lower(): v.decode() for n, v in scope["headers"]}
        self.authorizations.add(given.get("authorization", ""))
        query = {n: v[0] for n, v in parse_qs(scope["query_string"].decode()).items()}
        status, body, headers = await self._answer(scope["method"], scope["path"], query, given)
        sent = {"content-type": "application/json", "x-ratelimit-remaining": "4999", **headers}
        pairs = [(n.encode(), v.encode()) for n, v in sent.items()]
        await send({"type": "http.response.start", "status": status, "headers": pairs})
        end: Message = {"type": "http.response.body", "body": json.dumps(body).encode()}
        await send(end)

    async def _answer(
        self, method: str, path: str, query: Mapping[str, str], given: Mapping[str, str]
    ) -> tuple[int, Any, dict[str, str]]:
        if path.endswith("/hooks"):
            return 200, self.hooks, {}
        rest = path.removeprefix(self.log)
        if rest == path:
            return 404, {"message": "Not Found"}, {}
        if not rest:
            return self._page(query, given["host"], path)
        matching = [attempt for attempt in self.tries if str(attempt.id) == rest.split("/")[1]]
        if not matching or matching[0].id in self.gone:
            return 404, {"message": "Not Found"}, {}
        if method == "POST":
            return await self._again(matching[0])
        request = {"headers": _headers(matching[0]), "payload": matching[0].payload}
        return 200, {**_item(matching[0]), "url": "", "request": request}, {}

    def _page(
        self, query: Mapping[str, str], host: str, path: str
    ) -> tuple[int, Any, dict[str, str]]:
        size, start = int(query["per_page"]), int(query.get("cursor", "v1_0")[3:])
        newest = sorted(self.tries, key=lambda attempt: attempt.at, reverse=True)
        link = f'<http://{host}{path}?per_page={size}&cursor=v1_{start + size}>; rel="next"'
        headers = {"link": link} if start + size < len(newest) else {}
        return 200, [_item(attempt) for attempt in newest[start : start + size]], headers

    async def _again(self, attempt: Try) -> tuple[int, Any, dict[str, str]]:
        self.attempts.append(attempt.id)
        status = 502
        if self.receiver is not None:
            async with httpx.AsyncClient(base_url=self.receiver) as client:
                answer = await client.post(
                    "/webhooks/github", content=encoded(attempt.payload), headers=_headers(attempt)
                )
                status = answer.status_code
        at = datetime.now(UTC)
        self.tries.append(
            Try(self._number(), attempt.guid, attempt.event, attempt.payload, at, status, True)
        )
        return 202, {}, {}


def post_under_id(
    receiver: httpx.Client, delivery_id: str, event: str, payload: dict[str, Any]
) -> None:
    """Sends a signed body under the id of another delivery: no signature covers the id."""
    body = encoded(payload)
    headers = {**signed(body, delivery_id, SECRET), "x-github-event": event}
    receiver.post("/webhooks/github", content=body, headers=headers).raise_for_status()


def _headers(attempt: Try) -> dict[str, str]:
    return {
        "content-type": "application/json",
        "user-agent": "GitHub-Hookshot/044aadd",
        "X-GitHub-Event": attempt.event,
        "X-GitHub-Delivery": attempt.guid,
        "X-Hub-Signature-256": sign(encoded(attempt.payload), SECRET.encode()),
    }


def _item(attempt: Try) -> dict[str, Any]:
    installation = attempt.payload.get("installation") or {}
    return {
        "id": attempt.id,
        "guid": attempt.guid,
        "delivered_at": attempt.at.isoformat().replace("+00:00", "Z"),
        "redelivery": attempt.again,
        "duration": 0.27,
        "status": "OK" if attempt.status < 300 else "failed to connect to host",
        "status_code": attempt.status,
        "event": attempt.event,
        "action": attempt.payload.get("action"),
        "installation_id": installation.get("id"),
        "repository_id": 1,
    }
