"""What Sentry's answers and rate limits mean, how a token is renewed, and recorded answers."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from lightfast_pipelines.domain.events import Understood
from lightfast_pipelines.providers.api_contract import (
    Answer,
    AppKeys,
    Call,
    Credential,
    LinkedResource,
    Page,
    Record,
    Window,
)
from lightfast_pipelines.providers.sentry import PROVIDER
from lightfast_pipelines.providers.sentry.api import API, event_records, incidents
from lightfast_pipelines.providers.sentry.api import link_header as links
from lightfast_pipelines.providers.sentry.api.shared_facts import (
    DATED_BY_SENDING,
    ONLY_BY_API,
    ONLY_BY_WEBHOOK,
    SHARED,
)
from tests.servers.sentry import UUID, World, application

NOW = datetime(2024, 5, 1, 10, tzinfo=UTC)
WINDOW = Window(NOW - timedelta(days=9_000), NOW + timedelta(days=9_000))
PLACE = LinkedResource(
    "sentry", "2", "the-interstellar-jurisdiction/pump-station", installation_id=UUID
)
ISSUES = Call("/api/0/organizations/acme/issues/?project=42", pool="issues")
INCIDENTS = Call("/api/0/organizations/acme/incidents/?x=1", pool="incidents")


@pytest.mark.parametrize(
    ("status", "detail", "outcome"),
    [
        (401, "Token expired", "credential"),
        (403, "You do not have permission to perform this action.", "forbidden"),
        (404, "The requested resource does not exist", "missing"),
        (410, "This API no longer exists.", "missing"),
        (451, "", "missing"),
        (400, "Invalid date range", "invalid"),
        (400, "Query timeout. Please try again.", "heavy"),
        (429, "Limit is 40 requests in 1 seconds", "limited"),
        (502, "", "unavailable"),
        (302, {"code": "resource-moved"}, "moved"),
    ],
)
def test_answers_mean_what_sentry_says(status: int, detail: Any, outcome: str) -> None:
    assert API.verdict(ISSUES, Answer(status, {}, {"detail": detail}), NOW).outcome == outcome


def test_a_rate_limit_says_how_long_to_wait() -> None:
    reset = {"x-sentry-rate-limit-reset": str(NOW.timestamp() + 2.5)}
    told = {"detail": "too frequently"}
    assert API.verdict(ISSUES, Answer(429, reset, told), NOW).retry_after == 2.5
    retry = {**reset, "retry-after": "7"}
    assert API.verdict(ISSUES, Answer(429, retry, told), NOW).retry_after == 7
    at_once = {"detail": "You are attempting to go above the allowed concurrency: concurrent 25"}
    assert API.verdict(ISSUES, Answer(429, {}, at_once), NOW).retry_after == 1


def test_limits_are_of_one_kind_of_request() -> None:
    headers = {
        "x-sentry-rate-limit-limit": "40",
        "x-sentry-rate-limit-remaining": "39",
        "x-sentry-rate-limit-reset": str(NOW.timestamp() + 0.5),
    }
    (limit,) = API.limits(ISSUES, Answer(200, headers, []), NOW)
    assert (limit.pool, limit.limit, limit.remaining) == ("issues", 40, 39)
    assert limit.resets_at == NOW + timedelta(seconds=0.5)
    assert not API.limits(ISSUES, Answer(200, {}, []), NOW)


def test_a_page_with_the_most_activities_sentry_returns_is_halved() -> None:
    one = {"id": "1", "activities": [{}] * 999}
    two = [one, {"id": "2", "activities": [{}]}]
    assert API.verdict(INCIDENTS, Answer(200, {}, two), NOW).outcome == "heavy"
    assert API.verdict(INCIDENTS, Answer(200, {}, [one]), NOW).outcome == "ok"


def test_an_empty_next_page_is_none() -> None:
    previous = '<https://s/?cursor=a>; rel="previous"; results="true"; cursor="a"'
    behind = '<https://s/?cursor=b>; rel="next"; results="{}"; cursor="0:100:0"'
    assert links.next_cursor({"link": f"{previous}, {behind.format('true')}"}) == "0:100:0"
    assert links.next_cursor({"link": f"{previous}, {behind.format('false')}"}) is None
    assert links.next_cursor({}) is None


def test_a_token_is_renewed_once_for_each_refresh_token() -> None:
    world = World()
    keys = AppKeys("client", "secret")
    with TestClient(application(world)) as http:
        for turn in range(3):
            credential = Credential("oauth", "old", world.refresh_token)
            call = API.refresh(credential, keys, UUID, NOW)
            assert call is not None
            response = http.request(call.method, call.path, json=call.json)
            answer = Answer(response.status_code, {}, response.json())
            renewed = API.refreshed(credential, answer, NOW)
            assert (renewed.access_token, renewed.refresh_token) == (
                f"token-{turn + 1}",
                f"refresh-{turn + 1}",
            )
            assert renewed.expires_at is not None
            assert http.request(call.method, call.path, json=call.json).status_code == 401
    assert world.renewals == 3


def test_a_token_that_cannot_be_renewed_is_an_error() -> None:
    keys = AppKeys("client", "secret")
    assert API.refresh(Credential("token", "t"), keys, UUID, NOW) is None
    assert API.refresh(Credential("oauth", "t"), keys, UUID, NOW) is None
    oauth = Credential("oauth", "t", "r")
    with pytest.raises(ValueError, match="SENTRY_CLIENT_SECRET"):
        API.refresh(oauth, AppKeys(), UUID, NOW)
    with pytest.raises(ValueError, match="by its uuid"):
        API.refresh(oauth, keys, "manual:default", NOW)
    with pytest.raises(ValueError, match="token"):
        API.refreshed(oauth, Answer(201, {}, {}), NOW)


def test_an_expired_token_is_refused() -> None:
    world = World(tokens={"old": datetime.now(UTC) - timedelta(hours=1)})
    with TestClient(application(world)) as http:
        headers = API.authorize(Credential("oauth", "old"))
        response = http.get("/api/0/organizations/acme/issues/", headers=headers)
    found = Answer(response.status_code, {}, response.json())
    assert API.verdict(ISSUES, found, NOW).outcome == "credential"


def test_every_event_is_shared_or_has_a_reason_why_not() -> None:
    delivered = {
        source_type
        for rule in PROVIDER.events
        if rule.outcome == "delivered"
        for source_type in rule.source_types
    }
    told = {event.replace("_", "-") for event in ONLY_BY_WEBHOOK}
    assert delivered <= SHARED | DATED_BY_SENDING | told | set(ONLY_BY_API)
    assert not SHARED & DATED_BY_SENDING


def _bodies(shared: Path, words: str) -> list[Any]:
    folder = shared / "payloads" / "sentry" / "api" / "_openapi-examples"
    found = [json.loads(path.read_text()) for path in sorted(folder.glob(f"*{words}*.json"))]
    assert found, f"no recording of {words}"
    return [one["response"]["body"] for one in found]


def _delivered(records: Any) -> int:
    for record in records:
        payload = PROVIDER.decode(json.dumps(record.payload).encode(), record.headers)
        assert isinstance(PROVIDER.read(record.event_type, payload), Understood)
        assert PROVIDER.route(record.event_type, payload) is not None
    return len(records)


def test_recorded_issues_become_deliveries(shared: Path) -> None:
    walker = API.walkers[0]
    (issue,) = _bodies(shared, "ReturnAnIssue.json"[:-5])[:1]
    cursor = {"organization": "acme", "after": None, "pending": ["1"], "ended": True}
    page: Page = walker.read(PLACE, WINDOW, cursor, Answer(200, {}, issue))
    assert _delivered(page.records) == 1
    assert not page.troubles
    (listed,) = _bodies(shared, "ReturnAListOfIssuesForAnOrganization")
    first = walker.start(PLACE, WINDOW)
    page = walker.read(PLACE, WINDOW, first, Answer(200, {}, listed))
    assert page.next is not None
    assert page.next["pending"] == ["1"]


def test_recorded_events_become_deliveries(shared: Path) -> None:
    place = LinkedResource("sentry", "42", "acme/shop")
    events = [
        *_bodies(shared, "ReturnAListOfErrorEventsBoundToAnIssue")[0],
        *_bodies(shared, "issues_issue_id_events_event_id_.ReturnAnIssueEvent"),
    ]
    told = [
        event_records.read(place, "acme", "9", event, Answer(200, {}, None)) for event in events
    ]
    assert _delivered([statement for statement in told if isinstance(statement, Record)]) == len(
        events
    )


@pytest.mark.parametrize(
    "odd", [None, 7, "x", [], {}, {"id": "1"}, {"id": "1", "dateCreated": "?"}]
)
def test_a_malformed_item_is_reported_with_a_reason(odd: Any) -> None:
    answer = Answer(200, {}, [odd])
    cursor = {"organization": "acme", "offset": 0}
    page = incidents.MetricAlertWalker().read(PLACE, WINDOW, cursor, answer)
    assert all(trouble.reason for trouble in page.troubles)
    assert len(page.troubles) == 1
    at = {"organization": "acme", "after": None, "pending": ["1"], "ended": True}
    for walker in API.walkers[:2]:
        given = [odd] if walker.entity_type == "error" else odd
        reading = walker.read(PLACE, WINDOW, at, Answer(200, {}, given))
        assert not reading.records
        assert reading.next is None
