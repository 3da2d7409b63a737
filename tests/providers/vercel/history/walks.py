"""Walks an API's history over HTTP without a database: what the engine does, as short as it can be."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin

from starlette.applications import Starlette
from starlette.testclient import TestClient

from lightfast_pipelines.domain.events import Statement, Understood
from lightfast_pipelines.providers.contract import Provider
from lightfast_pipelines.providers.history import (
    Answer,
    Call,
    Credential,
    Cursor,
    Estimate,
    History,
    Outcome,
    Place,
    Record,
    Trouble,
    Verdict,
    Walker,
    Window,
)


@dataclass(slots=True)
class Walked:
    """All that a walk came to, and where it stood before each page."""

    records: list[Record] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    cursors: list[Cursor] = field(default_factory=list)
    done: list[int] = field(default_factory=list)
    """How many records were there before the page at each cursor."""

    @property
    def requests(self) -> int:
        return len(self.cursors)

    @property
    def rows(self) -> dict[str, str]:
        """Delivery id -> body: one row each, and a second telling of one must be equal to it."""
        found: dict[str, str] = {}
        for record in self.records:
            body = json.dumps([record.event_type, record.payload, dict(record.headers)])
            assert found.setdefault(record.delivery_id, body) == body, record.delivery_id
        return found


@dataclass(slots=True)
class Api:
    """A client of `history` at an application, and what was asked of it."""

    history: History
    http: TestClient
    credential: Credential
    asked: int = 0

    def ask(self, call: Call) -> tuple[Answer, Verdict]:
        self.asked += 1
        response = self.http.request(
            call.method,
            urljoin("http://testserver/", call.path),
            params=dict(call.params) or None,
            json=call.json,
            headers={**self.history.authorize(self.credential), **call.headers},
        )
        data = response.json() if response.content else None
        headers = {name.lower(): value for name, value in response.headers.items()}
        answer = Answer(response.status_code, headers, data, str(response.url))
        return answer, self.history.verdict(call, answer, datetime.now(UTC))

    def good(self, call: Call) -> Answer:
        answer, verdict = self.ask(call)
        assert verdict.outcome is Outcome.OK, verdict
        return answer

    def walk(
        self,
        walker: Walker,
        place: Place,
        window: Window,
        *,
        cursor: Cursor | None = None,
        sizes: Callable[[int], int] | None = None,
    ) -> Walked:
        """From `cursor` on, or from the beginning; `sizes` says how long the n-th page is."""
        walked = Walked()
        at: Cursor | None = cursor if cursor is not None else walker.start(place, window)
        seen: set[str] = set()
        while at is not None:
            at = json.loads(json.dumps(dict(at)))  # as the database keeps it
            mark = json.dumps(at, sort_keys=True)
            assert mark not in seen, f"the cursor {mark} comes back"
            seen.add(mark)
            size = sizes(walked.requests) if sizes else walker.page_size
            walked.cursors.append(at)
            walked.done.append(len(walked.records))
            page = walker.read(place, window, at, self.good(walker.call(place, window, at, size)))
            walked.records += [one for one in page.records if window.holds(one.occurred_at)]
            walked.troubles += page.troubles
            at = page.next
        return walked

    def estimate(self, walker: Walker, place: Place, window: Window) -> tuple[Estimate, int]:
        """The estimate, and how many requests it took."""
        answers: list[Answer] = []
        while True:
            found = walker.probe(place, window, answers)
            if isinstance(found, Estimate):
                return found, len(answers)
            assert len(answers) < 12
            answers.append(self.good(found))


@contextmanager
def api_of(history: History, app: Starlette, credential: Credential) -> Iterator[Api]:
    with TestClient(app) as http:
        yield Api(history, http, credential)


def statements(
    provider: Provider, event_type: str, payload: Any, headers: Mapping[str, str]
) -> Sequence[Statement]:
    """By way of the bytes, as every payload comes."""
    reading = provider.read(event_type, provider.decode(json.dumps(payload).encode(), headers))
    assert isinstance(reading, Understood), (event_type, reading)
    return reading.statements


def paths(value: Any, at: str = "") -> set[str]:
    """JSON paths of what says something; a list is one value."""
    if isinstance(value, dict):
        named = ((f"{at}.{name}" if at else name, one) for name, one in value.items())
        return set[str]().union(*(paths(one, path) for path, one in named))
    return {at} if value not in (None, "", []) else set()


def untold(webhook: Any, record: Any, known: Mapping[str, str]) -> set[str]:
    """Paths that the webhook has and the record has not, and that are not known to be so."""
    lost = paths(webhook) - paths(record)
    return {one for one in lost if not any(f"{one}.".startswith(f"{path}.") for path in known)}
