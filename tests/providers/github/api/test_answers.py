"""The meaning of GitHub's answers, its requests and its limits."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from lightfast_pipelines.providers.api_contract import (
    Answer,
    AnswerOutcome,
    AppKeys,
    Call,
    Credential,
)
from lightfast_pipelines.providers.github.api import API

NOW = datetime(2026, 2, 6, 10, tzinfo=UTC)
LIST = Call("repositories/1/pulls", params={"per_page": "100", "page": "1"})
GRAPH = Call("graphql", "POST", json={}, pool="graphql")
RESET = str(int((NOW + timedelta(minutes=5)).timestamp()))


def outcome(call: Call, status: int, data: Any = None, **headers: str) -> AnswerOutcome:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return API.verdict(call, Answer(status, named, data), NOW).outcome


def said(message: str) -> dict[str, str]:
    return {"message": message, "documentation_url": "https://docs.github.com/rest"}


@pytest.mark.parametrize(
    ("status", "data", "headers", "expected"),
    [
        (200, [], {}, AnswerOutcome.OK),
        (200, {"total_count": 0, "workflow_runs": []}, {}, AnswerOutcome.OK),
        (200, {"message": "Sorry"}, {}, AnswerOutcome.MALFORMED),
        (200, "hello", {}, AnswerOutcome.MALFORMED),
        (304, None, {}, AnswerOutcome.UNCHANGED),
        (301, said("Moved Permanently"), {"location": "https://x"}, AnswerOutcome.MOVED),
        (307, said("Temporary Redirect"), {"location": "https://x"}, AnswerOutcome.MOVED),
        (401, said("Bad credentials"), {}, AnswerOutcome.CREDENTIAL),
        (403, said("Resource not accessible by integration"), {}, AnswerOutcome.FORBIDDEN),
        (
            403,
            said("no"),
            {"x_ratelimit_remaining": "0", "x_ratelimit_reset": RESET},
            AnswerOutcome.LIMITED,
        ),
        (403, said("You have exceeded a secondary rate limit."), {}, AnswerOutcome.LIMITED),
        (403, said("wait"), {"retry_after": "60"}, AnswerOutcome.LIMITED),
        (429, said("wait"), {}, AnswerOutcome.LIMITED),
        (404, said("Not Found"), {}, AnswerOutcome.MISSING),
        (410, said("Gone"), {}, AnswerOutcome.MISSING),
        (410, said("Issues are disabled for this repo"), {}, AnswerOutcome.NOTHING),
        (409, said("Git Repository is empty."), {}, AnswerOutcome.NOTHING),
        (409, said("Conflict"), {}, AnswerOutcome.INVALID),
        (204, None, {}, AnswerOutcome.NOTHING),
        (451, said("Repository access blocked"), {}, AnswerOutcome.MISSING),
        (422, said("Validation Failed"), {}, AnswerOutcome.INVALID),
        (400, said("Problems parsing JSON"), {}, AnswerOutcome.INVALID),
        (500, None, {}, AnswerOutcome.UNAVAILABLE),
        (503, None, {}, AnswerOutcome.UNAVAILABLE),
        (502, None, {}, AnswerOutcome.HEAVY),
        (504, None, {}, AnswerOutcome.HEAVY),
    ],
)
def test_the_answer_to_a_list_means_what_github_documents(
    status: int, data: Any, headers: Mapping[str, str], expected: AnswerOutcome
) -> None:
    assert outcome(LIST, status, data, **headers) is expected


def test_a_gateway_error_for_a_single_item_is_retried_instead_of_halved() -> None:
    assert outcome(Call("repositories/1"), 502) is AnswerOutcome.UNAVAILABLE
    assert outcome(Call("x", params={"per_page": "1"}), 504) is AnswerOutcome.UNAVAILABLE


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"data": {"repository": {}}}, AnswerOutcome.OK),
        ({"errors": [{"type": "RATE_LIMITED", "message": "limit"}]}, AnswerOutcome.LIMITED),
        (
            {"errors": [{"type": "RATE_LIMIT", "message": "already exceeded"}]},
            AnswerOutcome.LIMITED,
        ),
        (
            {"errors": [{"type": "NOT_FOUND", "message": "Could not resolve"}]},
            AnswerOutcome.MISSING,
        ),
        ({"errors": [{"type": "FORBIDDEN", "message": "no"}]}, AnswerOutcome.FORBIDDEN),
        ({"errors": [{"type": "INSUFFICIENT_SCOPES", "message": "no"}]}, AnswerOutcome.FORBIDDEN),
        ({"errors": [{"message": "Something went wrong while executing"}]}, AnswerOutcome.HEAVY),
        (
            {"errors": [{"type": "RESOURCE_LIMITS_EXCEEDED", "message": "Resource limits"}]},
            AnswerOutcome.HEAVY,
        ),
        (
            {"data": None, "errors": [{"message": "timedout: Timeout on validation"}]},
            AnswerOutcome.HEAVY,
        ),
        (
            {"errors": [{"type": "undefinedField", "message": "no such field"}]},
            AnswerOutcome.INVALID,
        ),
        (
            {"data": {"repository": {"id": 1}}, "errors": [{"message": "one node"}]},
            AnswerOutcome.OK,
        ),
        ([], AnswerOutcome.MALFORMED),
    ],
)
def test_graphql_reports_its_errors_with_status_200(data: Any, expected: AnswerOutcome) -> None:
    assert outcome(GRAPH, 200, data) is expected


def test_the_time_to_wait_is_read_from_whichever_header_has_it() -> None:
    def wait(**headers: str) -> float | None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return API.verdict(LIST, Answer(403, named, said("limit")), NOW).retry_after

    assert wait(retry_after="60") == 60
    assert wait(x_ratelimit_remaining="0", x_ratelimit_reset=RESET) == 300
    assert wait(x_ratelimit_remaining="0", x_ratelimit_reset="0") == 1


def test_an_exhausted_graphql_limit_waits_until_it_is_refilled() -> None:
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": RESET}
    data = {"errors": [{"type": "RATE_LIMIT", "message": "API rate limit already exceeded"}]}
    assert API.verdict(GRAPH, Answer(200, headers, data), NOW).retry_after == 300


def test_a_moved_repository_names_its_new_address() -> None:
    answer = Answer(301, {"location": "https://api.github.com/repositories/1/pulls"}, said("Moved"))
    assert API.verdict(LIST, answer, NOW).location == answer.headers["location"]


def test_limits_are_read_in_their_own_units() -> None:
    headers = {
        "x-ratelimit-limit": "5000",
        "x-ratelimit-remaining": "4987",
        "x-ratelimit-reset": RESET,
        "x-ratelimit-resource": "core",
    }
    (core,) = API.limits(LIST, Answer(200, headers, []), NOW)
    assert (core.pool, core.limit, core.remaining) == ("core", 5000, 4987)
    assert core.resets_at == NOW + timedelta(minutes=5)
    points = {"limit": 5000, "remaining": 4990, "resetAt": "2026-02-06T11:00:00Z", "cost": 1}
    (graph,) = API.limits(GRAPH, Answer(200, {}, {"data": {"rateLimit": points}}), NOW)
    assert (graph.pool, graph.remaining) == ("graphql", 4990)
    assert graph.resets_at == NOW + timedelta(hours=1)
    assert not API.limits(LIST, Answer(200, {"x-ratelimit-limit": "many"}, []), NOW)


def test_requests_have_a_bearer_token_and_the_api_version() -> None:
    headers = API.authorize(Credential("personal", "ghp_1"))
    assert headers["Authorization"] == "Bearer ghp_1"
    assert headers["X-GitHub-Api-Version"] == "2022-11-28"
    assert headers["Accept"] == "application/vnd.github+json"
    assert headers["User-Agent"]


KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.TraditionalOpenSSL,
    serialization.NoEncryption(),
).decode()
APP = Credential("github_app", None)


@pytest.mark.parametrize(
    "key",
    [
        PEM,
        PEM.replace("\n", "\\n"),
        f'"{PEM}"',
        base64.b64encode(PEM.encode()).decode(),
        KEY.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode(),
    ],
    ids=["pem", "escaped", "quoted", "base64", "pkcs8"],
)
def test_an_app_gets_a_token_with_its_jwt_however_the_key_is_written(key: str) -> None:
    call = API.refresh(APP, AppKeys(client_id="123", private_key=key), "42", NOW)
    assert call is not None
    assert (call.method, call.path) == ("POST", "app/installations/42/access_tokens")
    proof = call.headers["Authorization"].removeprefix("Bearer ")
    claims = jwt.decode(
        proof, KEY.public_key(), algorithms=["RS256"], options={"verify_exp": False}
    )
    seconds = int(NOW.timestamp())
    assert claims == {"iss": "123", "iat": seconds - 60, "exp": seconds + 540}
    assert proof not in repr(call)


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        (AppKeys(private_key=PEM), "GITHUB_APP_ID"),
        (AppKeys(client_id="1"), "GITHUB_APP_PRIVATE_KEY"),
        (AppKeys(client_id="1", private_key="hunter2 is no key"), "GITHUB_APP_PRIVATE_KEY"),
        (
            AppKeys(client_id="1", private_key="-----BEGIN RSA PRIVATE KEY-----\nhunter2\n"),
            "GITHUB_APP_PRIVATE_KEY",
        ),
    ],
)
def test_a_missing_setting_of_an_app_is_named_and_never_quoted(keys: AppKeys, named: str) -> None:
    with pytest.raises(ValueError, match=named) as raised:
        API.refresh(APP, keys, "42", NOW)
    assert "hunter2" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_an_installation_without_a_number_says_what_to_do() -> None:
    with pytest.raises(ValueError, match="lightfast installation"):
        API.refresh(APP, AppKeys("1", private_key=PEM), "acme/../x", NOW)


def test_a_personal_token_is_not_renewed() -> None:
    assert API.refresh(Credential("personal", "t"), AppKeys(), "42", NOW) is None


def test_a_new_token_expires_when_github_says() -> None:
    answer = Answer(201, {}, {"token": "ghs_1", "expires_at": "2026-02-06T11:00:00Z"})
    renewed = API.refreshed(APP, answer, NOW)
    assert (renewed.access_token, renewed.expires_at) == ("ghs_1", NOW + timedelta(hours=1))
    lacking: list[Any] = [{}, {"token": "ghs_1"}, [], None]
    for data in lacking:
        with pytest.raises(ValueError, match="no token"):
            API.refreshed(APP, Answer(201, {}, data), NOW)
