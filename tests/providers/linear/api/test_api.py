"""What Linear's answers and rate limits mean, and how credentials are sent and renewed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from lightfast_pipelines.providers.api_contract import (
    Answer,
    AnswerOutcome,
    AppKeys,
    Call,
    Credential,
    LinkedResource,
    discover_apis,
)
from lightfast_pipelines.providers.linear.api import API
from tests.providers.agreement import api_of
from tests.servers.linear import Linear, app
from tests.servers.linear_world import World

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
ASKED = Call("graphql", "POST", json={"query": "{ organization { id } }"}, pool="complexity")
RESET = (NOW + timedelta(minutes=20)).timestamp() * 1000
KEYS = AppKeys("client", "client-secret")
OAUTH = Credential("oauth", "old-access", "old-refresh")


def failure(code: str, message: str = "It failed", shown: str | None = None) -> dict[str, Any]:
    extensions = {"code": code, "userPresentableMessage": shown}
    return {"errors": [{"message": message, "extensions": extensions}], "data": None}


def verdict(status: int, data: Any, **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return API.verdict(ASKED, Answer(status, named, data), NOW)


def test_the_api_is_found_by_the_providers_name() -> None:
    assert discover_apis()["linear"] is API
    assert [walker.entity_type for walker in API.walkers] == [
        "issue",
        "comment",
        "project",
        "project_update",
        "cycle",
    ]


@pytest.mark.parametrize(
    ("status", "data", "outcome"),
    [
        (200, {"data": {"organization": {"id": "org-1"}}}, AnswerOutcome.OK),
        (400, failure("RATELIMITED"), AnswerOutcome.LIMITED),
        (200, failure("RATELIMITED"), AnswerOutcome.LIMITED),
        (400, failure("AUTHENTICATION_ERROR"), AnswerOutcome.CREDENTIAL),
        (401, failure("AUTHENTICATION_ERROR"), AnswerOutcome.CREDENTIAL),
        (200, failure("FORBIDDEN"), AnswerOutcome.FORBIDDEN),
        (400, failure("INPUT_ERROR", "Query too complex"), AnswerOutcome.HEAVY),
        (400, failure("INPUT_ERROR", "no", "The query is too complex."), AnswerOutcome.HEAVY),
        (200, failure("INPUT_ERROR", "Entity not found: Team"), AnswerOutcome.MISSING),
        (
            200,
            failure("INPUT_ERROR", "no", "Could not find referenced Team."),
            AnswerOutcome.MISSING,
        ),
        (400, failure("GRAPHQL_VALIDATION_FAILED", "Cannot query field"), AnswerOutcome.INVALID),
        (200, failure("INTERNAL_SERVER_ERROR"), AnswerOutcome.UNAVAILABLE),
        (502, failure("SOMETHING"), AnswerOutcome.UNAVAILABLE),
        (503, None, AnswerOutcome.UNAVAILABLE),
        (429, None, AnswerOutcome.LIMITED),
        (401, None, AnswerOutcome.CREDENTIAL),
        (403, None, AnswerOutcome.FORBIDDEN),
        (404, None, AnswerOutcome.MISSING),
        (308, None, AnswerOutcome.MOVED),
        (400, None, AnswerOutcome.INVALID),
        (200, None, AnswerOutcome.MALFORMED),
        (200, "<html>", AnswerOutcome.MALFORMED),
        (200, {"data": None}, AnswerOutcome.MALFORMED),
        (200, {"data": {"issues": None}}, AnswerOutcome.MALFORMED),
        (200, {"errors": "none of Linear's"}, AnswerOutcome.MALFORMED),
    ],
)
def test_each_answer_has_one_meaning(status: int, data: Any, outcome: AnswerOutcome) -> None:
    assert verdict(status, data).outcome is outcome


def test_a_limit_is_waited_for_until_it_is_full_again() -> None:
    headers = {
        "x-ratelimit-requests-limit": "5000",
        "x-ratelimit-requests-remaining": "0",
        "x-ratelimit-requests-reset": f"{RESET:.0f}",
        "x-ratelimit-complexity-limit": "3000000",
        "x-ratelimit-complexity-remaining": "2000",
        "x-ratelimit-complexity-reset": f"{RESET * 2:.0f}",
    }
    assert verdict(400, failure("RATELIMITED"), **headers).retry_after == 20 * 60
    assert verdict(400, failure("RATELIMITED"), retry_after="7", **headers).retry_after == 7
    assert verdict(400, failure("RATELIMITED")).retry_after is None


def test_limits_cover_requests_and_complexity_with_times_in_milliseconds() -> None:
    headers = {
        "x-ratelimit-requests-limit": "1500",
        "x-ratelimit-requests-remaining": "1499",
        "x-ratelimit-requests-reset": f"{RESET:.0f}",
        "x-ratelimit-complexity-limit": "3000000",
        "x-ratelimit-complexity-remaining": "2999940",
        "x-ratelimit-complexity-reset": f"{RESET:.0f}",
    }
    found = API.limits(ASKED, Answer(200, headers, {}), NOW)
    told = {each.pool: (each.limit, each.remaining, each.resets_at) for each in found}
    at = NOW + timedelta(minutes=20)
    assert told == {"requests": (1500, 1499, at), "complexity": (3_000_000, 2_999_940, at)}
    other = API.limits(Call("graphql"), Answer(200, headers, {}), NOW)
    assert {each.pool for each in other} == {"requests", "complexity", "core"}


@pytest.mark.parametrize("value", ["", "soon", "nan", "inf", "-1"])
def test_a_limit_that_is_not_a_number_is_ignored(value: str) -> None:
    headers = {
        "x-ratelimit-requests-limit": "1500",
        "x-ratelimit-requests-remaining": value,
        "x-ratelimit-requests-reset": f"{RESET:.0f}",
    }
    assert not API.limits(ASKED, Answer(200, headers, {}), NOW)


def test_a_personal_key_is_sent_bare_and_a_token_as_a_bearer() -> None:
    with TestClient(app(Linear(World(), tokens={"token"}))) as http:
        for kind, token, status in (
            ("api_key", "lin_api_test", 200),
            ("oauth", "lin_api_test", 401),
            ("oauth", "token", 200),
            ("api_key", "token", 401),
        ):
            headers = dict(API.authorize(Credential(kind, token)))
            answer = http.post("/graphql", json=ASKED.json, headers=headers)
            assert answer.status_code == status
    with pytest.raises(ValueError, match="set the credential"):
        API.authorize(Credential("api_key", None))


def test_a_token_is_renewed_once_by_each_refresh_token() -> None:
    linear = Linear(World(), refresh_tokens={"old-refresh"})
    call = API.refresh(OAUTH, KEYS, "org-1", NOW)
    assert call is not None
    with TestClient(app(linear)) as http:
        response = http.post(f"/{call.path}", data=dict(call.form or {}))
        answer = Answer(response.status_code, {}, response.json())
        assert API.verdict(call, answer, NOW).outcome is AnswerOutcome.OK
        renewed = API.refreshed(OAUTH, answer, NOW)
        again = http.post(f"/{call.path}", data=dict(call.form or {}))
    assert (renewed.access_token, renewed.refresh_token) == ("access-1", "refresh-1")
    assert renewed.expires_at == NOW + timedelta(seconds=86_399)
    told = API.verdict(call, Answer(again.status_code, {}, again.json()), NOW)
    assert told.outcome is AnswerOutcome.CREDENTIAL
    assert "invalid_grant" in told.message
    assert "old-refresh" not in told.message
    assert linear.renewals == 2


def test_a_renewal_while_linear_is_away_is_not_final() -> None:
    call = API.refresh(OAUTH, KEYS, "org-1", NOW)
    assert call is not None
    assert API.verdict(call, Answer(503, {}, None), NOW).outcome is AnswerOutcome.UNAVAILABLE
    assert API.verdict(call, Answer(200, {}, {}), NOW).outcome is AnswerOutcome.MALFORMED
    with pytest.raises(ValueError, match="access_token"):
        API.refreshed(OAUTH, Answer(200, {}, {"error": "none"}), NOW)


def test_a_token_that_cannot_be_renewed_names_the_missing_setting() -> None:
    assert API.refresh(Credential("api_key", "key"), KEYS, "org-1", NOW) is None
    assert API.refresh(Credential("oauth", "token"), KEYS, "org-1", NOW) is None
    with pytest.raises(ValueError, match="LINEAR_CLIENT_ID and LINEAR_CLIENT_SECRET"):
        API.refresh(OAUTH, AppKeys(), "org-1", NOW)
    with pytest.raises(ValueError, match="set LINEAR_CLIENT_SECRET") as error:
        API.refresh(OAUTH, AppKeys("client"), "org-1", NOW)
    assert "old-" not in str(error.value)


def test_the_address_is_linears_own_unless_set() -> None:
    assert API.base_url({}) == "https://api.linear.app"
    assert API.base_url({"LINEAR_API_URL": "http://localhost:1/"}) == "http://localhost:1"


def test_the_server_reports_a_used_up_limit_as_linear_does() -> None:
    linear = Linear(World(), limits={"requests": 1.0, "complexity": 1_000.0})
    with api_of(API, app(linear), Credential("api_key", "lin_api_test")) as client:
        assert client.ask(ASKED)[1].outcome is AnswerOutcome.OK
        answer, told = client.ask(ASKED)
    assert (answer.status, told.outcome) == (400, AnswerOutcome.LIMITED)
    assert told.retry_after is not None
    assert 3_500 < told.retry_after <= 3_600


@pytest.mark.parametrize(
    ("resource", "name", "meta"),
    [
        ("team-2", "Operations", {"team_key": "OPS"}),
        ("project-1", "Project 1", {}),
        ("org-1", "Acme", {}),
    ],
)
def test_a_resource_gives_its_current_name(resource: str, name: str, meta: dict[str, str]) -> None:
    world = World()
    world.project(world.people[0])
    with api_of(API, app(Linear(world)), Credential("api_key", "lin_api_test")) as client:
        found = API.identified(client.good(API.identify(LinkedResource("linear", resource, None))))
    assert (found.name, dict(found.meta)) == (name, meta)
