"""Walks an API's history over real HTTP without the engine: a call, an answer, the next call.

What is not an answer to go on with fails the test; of the engine only the halving of pages is here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin

import httpx

from lightfast_pipelines.providers.api_contract import (
    Answer,
    AnswerOutcome,
    Call,
    Credential,
    Cursor,
    Estimate,
    LinkedResource,
    ProviderApi,
    Record,
    UnreadableItem,
    Verdict,
    Walker,
    Window,
)


@dataclass(slots=True)
class Walk:
    """What a walk came to, with where it stood before each page and what it had by then."""

    records: list[Record] = field(default_factory=list)
    troubles: list[UnreadableItem] = field(default_factory=list)
    cursors: list[Cursor] = field(default_factory=list)
    had: list[int] = field(default_factory=list)

    @property
    def requests(self) -> int:
        return len(self.cursors)

    @property
    def rows(self) -> dict[str, str]:
        """Delivery id -> what is stored of it; told twice, it must be told alike."""
        found: dict[str, str] = {}
        for record in self.records:
            told = [record.event_type, record.payload, dict(record.headers)]
            row = json.dumps(told, sort_keys=True)  # as the engine stores it
            assert found.setdefault(record.delivery_id, row) == row, record.delivery_id
        return found


@dataclass(slots=True)
class Asking:
    """A client of an API. `sizes` says how long the n-th page is asked for."""

    provider_api: ProviderApi
    base_url: str
    credential: Credential
    http: Any = field(default_factory=lambda: httpx.Client(timeout=30))
    asked: int = 0

    def ask(self, call: Call) -> tuple[Answer, Verdict]:
        self.asked += 1
        headers = {**self.provider_api.authorize(self.credential), **call.headers}
        if call.etag is not None:
            headers["If-None-Match"] = call.etag
        response = self.http.request(
            call.method,
            urljoin(self.base_url.rstrip("/") + "/", call.path.lstrip("/")),
            params=dict(call.params) or None,
            json=call.json,
            headers=headers,
        )
        data: Any = response.json() if response.content else None
        told = {name.lower(): value for name, value in response.headers.items()}
        answer = Answer(response.status_code, told, data, str(response.url))
        return answer, self.provider_api.verdict(call, answer, datetime.now(UTC))

    def good(self, call: Call) -> Answer:
        answer, verdict = self.ask(call)
        is_gone = verdict.outcome is AnswerOutcome.MISSING and call.of_one
        assert verdict.outcome is AnswerOutcome.OK or is_gone, verdict
        return answer

    def walk(
        self,
        walker: Walker,
        place: LinkedResource,
        window: Window,
        *,
        start: Cursor | None = None,
        sizes: Callable[[int], int] | None = None,
        between: Callable[[int], None] | None = None,
    ) -> Walk:
        """From `start` on; `between` is called with the number of pages that were read."""
        walk = Walk()
        cursor: Cursor | None = start if start is not None else walker.start(place, window)
        seen: set[str] = set()
        while cursor is not None:
            kept = json.dumps(dict(cursor), sort_keys=True)  # as the database keeps it
            assert kept not in seen, f"the cursor {kept} comes back"
            seen.add(kept)
            cursor = json.loads(kept)
            assert cursor is not None
            size = sizes(walk.requests) if sizes else walker.page_size
            walk.cursors.append(cursor)
            walk.had.append(len(walk.records))
            answer = self.good(walker.call(place, window, cursor, size))
            page = walker.read(place, window, cursor, answer)
            walk.records += [one for one in page.records if window.holds(one.occurred_at)]
            walk.troubles += page.troubles
            cursor = page.next
            if between is not None:
                between(walk.requests)
        return walk

    def estimate(
        self, walker: Walker, place: LinkedResource, window: Window
    ) -> tuple[Estimate, int]:
        """The estimate, and how many requests it took."""
        answers: list[Answer] = []
        while True:
            found = walker.probe(place, window, answers)
            if isinstance(found, Estimate):
                return found, len(answers)
            answers.append(self.good(found))


def walk(
    provider_api: ProviderApi,
    walker: Walker,
    place: LinkedResource,
    window: Window,
    base_url: str,
    credential: Credential,
    page_size: int | None = None,
    start: Mapping[str, Any] | None = None,
) -> list[Record]:
    """The records of the window, in the order in which the API tells them."""
    with httpx.Client(timeout=30) as http:
        asking = Asking(provider_api, base_url, credential, http)
        sizes = None if page_size is None else lambda _: page_size
        return asking.walk(walker, place, window, start=start, sizes=sizes).records
