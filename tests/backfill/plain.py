"""The simplest possible provider API and its reader: numbered pages of items, newest first.

For tests of what all walks have in common; the real providers' APIs are tested in tests/providers/.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

from lightfast_pipelines.providers.api_contract import (
    Answer,
    AnswerOutcome,
    AppKeys,
    Call,
    Credential,
    Cursor,
    Estimate,
    Limit,
    LinkedResource,
    Page,
    ProviderApi,
    Record,
    Renewed,
    UnreadableItem,
    Verdict,
    Walker,
    Window,
)
from tests.servers.serving import Message, Receive, Scope, Send

FIRST = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class PlainApi:
    """Serves `count` items, an hour apart from FIRST on; `heaviest` is the largest page it makes."""

    count: int = 250
    heaviest: int = 100
    limit: int = 5_000
    used: int = 0
    reset_after: float = 3_600.0
    tokens: set[str] = field(default_factory=lambda: {"live-token"})
    turning: bool = False
    """Whether each page names itself as the next one."""
    ahead: timedelta = timedelta()
    """How far its clock is ahead of ours."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {n.decode().lower(): v.decode() for n, v in scope["headers"]}
        query = {n: v[0] for n, v in parse_qs(scope["query_string"].decode()).items()}
        now = datetime.now(UTC) + self.ahead
        status, body = self._answer(headers, query)
        tag = f'"{hash((json.dumps(body), query.get("offset"), query.get("size")))}"'
        if status == 200 and headers.get("if-none-match") == tag:
            self.used -= 1
            status, body = 304, None
        answer_headers = {
            "content-type": "application/json",
            "date": now.strftime("%a, %d %b %Y %H:%M:%S GMT"),
            "etag": tag,
            "x-limit": str(self.limit),
            "x-remaining": str(self.limit - self.used),
            "x-reset": str(now.timestamp() + self.reset_after),
        }
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [(n.encode(), v.encode()) for n, v in answer_headers.items()],
            }
        )
        answer_body = b"" if body is None else json.dumps(body).encode()
        end: Message = {"type": "http.response.body", "body": answer_body}
        await send(end)

    def _answer(self, headers: Mapping[str, str], query: Mapping[str, str]) -> tuple[int, Any]:
        if headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return 401, {"message": "Bad credentials"}
        if self.used >= self.limit:
            return 429, {"message": "rate limit exceeded"}
        self.used += 1
        size, offset = int(query["size"]), int(query["offset"])
        if size > self.heaviest:
            return 502, {"message": "too heavy"}
        newest_first = range(self.count - 1, -1, -1)
        items = [
            {"id": n, "at": (FIRST + timedelta(hours=n)).isoformat()}
            for n in newest_first[offset : offset + size]
        ]
        more = offset + size < self.count
        following = offset if self.turning else offset + size
        return 200, {"items": items, "total": self.count, "next": following if more else None}


class PlainItems:
    """Walks the items; those whose id is in `broken` cannot be made into a record."""

    entity_type = "item"
    page_size = 100

    def __init__(self, broken: Sequence[int] = ()) -> None:
        self._broken = set(broken)

    def start(self, place: LinkedResource, window: Window) -> Cursor:
        return {"offset": 0}

    def call(self, place: LinkedResource, window: Window, cursor: Cursor, page_size: int) -> Call:
        return Call("items", params={"offset": str(cursor["offset"]), "size": str(page_size)})

    def read(self, place: LinkedResource, window: Window, cursor: Cursor, answer: Answer) -> Page:
        items = answer.data["items"]
        whole = [item for item in items if item["id"] not in self._broken]
        records = [record_of(place, item) for item in whole]
        oldest = min((record.occurred_at for record in records), default=None)
        over = oldest is not None and oldest < window.since
        following = answer.data["next"]
        return Page(
            records,
            None if following is None or over else {"offset": following},
            len(items),
            oldest,
            [UnreadableItem(str(i["id"]), "broken") for i in items if i["id"] in self._broken],
            answer.headers.get("etag"),
        )

    def probe(
        self, place: LinkedResource, window: Window, answers: Sequence[Answer]
    ) -> Call | Estimate:
        if not answers:
            return Call("items", params={"offset": "0", "size": "1"})
        total = answers[0].data["total"]
        return Estimate(-(-total // self.page_size), total, exact=True)


def record_of(place: LinkedResource, item: Mapping[str, Any]) -> Record:
    """An opened GitHub issue, which capture understands."""
    at = datetime.fromisoformat(item["at"])
    number = item["id"] + 1
    payload = {
        "action": "opened",
        "issue": {
            "number": number,
            "title": f"Item {number}",
            "created_at": at.isoformat(),
            "updated_at": at.isoformat(),
            "user": {"id": 7, "login": "mira", "type": "User"},
        },
        "repository": {"id": int(place.resource_id), "full_name": place.resource_name},
        "sender": {"id": 7, "login": "mira", "type": "User"},
    }
    return Record("issues", payload, at, f"backfill:item:{number}")


class PlainProviderApi(ProviderApi):
    provider = "github"
    credential_kinds: Sequence[str] = ("token",)

    def __init__(self, walkers: Sequence[Walker] = (PlainItems(),)) -> None:
        self.walkers = walkers

    def base_url(self, configured: Mapping[str, str]) -> str:
        return configured["GITHUB_API_URL"]

    def authorize(self, credential: Credential) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {credential.access_token}"}

    def verdict(self, call: Call, answer: Answer, now: datetime) -> Verdict:
        message = str((answer.data or {}).get("message", "")) if answer.data is not None else ""
        match answer.status:
            case 200:
                return Verdict(AnswerOutcome.OK)
            case 304:
                return Verdict(AnswerOutcome.UNCHANGED)
            case 401:
                return Verdict(AnswerOutcome.CREDENTIAL, f"the credential is refused: {message}")
            case 403:
                return Verdict(AnswerOutcome.FORBIDDEN, f"not allowed: {message}")
            case 404:
                return Verdict(AnswerOutcome.MISSING, f"not there: {message}")
            case 301:
                return Verdict(
                    AnswerOutcome.MOVED, "moved", location=answer.headers.get("location")
                )
            case 422:
                return Verdict(AnswerOutcome.INVALID, f"refused: {message}")
            case 429:
                wait = float(answer.headers.get("retry-after", "0.2"))
                return Verdict(AnswerOutcome.LIMITED, "rate limit", retry_after=wait)
            case 502 if call.params.get("size") != "1":
                return Verdict(AnswerOutcome.HEAVY, "too heavy")
            case _:
                return Verdict(AnswerOutcome.UNAVAILABLE, f"answered {answer.status}")

    def limits(self, call: Call, answer: Answer, now: datetime) -> Sequence[Limit]:
        if "x-remaining" not in answer.headers:
            return ()
        resets_at = datetime.fromtimestamp(float(answer.headers["x-reset"]), UTC)
        limit, left = float(answer.headers["x-limit"]), float(answer.headers["x-remaining"])
        return (Limit("core", limit, left, resets_at),)

    def refresh(
        self, credential: Credential, keys: AppKeys, place_id: str, now: datetime
    ) -> Call | None:
        return None

    def refreshed(self, credential: Credential, answer: Answer, now: datetime) -> Renewed:
        raise ValueError("a token is not renewed")
