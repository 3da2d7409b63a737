"""What GitHub's answers mean, how it is asked, and what its limits say."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from lightfast_pipelines.providers.api_contract import Answer, AppKeys, Call, Credential, Outcome
from lightfast_pipelines.providers.github.api import HISTORY

NOW = datetime(2026, 2, 6, 10, tzinfo=UTC)
LIST = Call("repositories/1/pulls", params={"per_page": "100", "page": "1"})
GRAPH = Call("graphql", "POST", json={}, pool="graphql")
RESET = str(int((NOW + timedelta(minutes=5)).timestamp()))


def outcome(call: Call, status: int, data: Any = None, **headers: str) -> Outcome:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HISTORY.verdict(call, Answer(status, named, data), NOW).outcome


def said(message: str) -> dict[str, str]:
    return {"message": message, "documentation_url": "https://docs.github.com/rest"}


@pytest.mark.parametrize(
    ("status", "data", "headers", "expected"),
    [
        (200, [], {}, Outcome.OK),
        (200, {"total_count": 0, "workflow_runs": []}, {}, Outcome.OK),
        (200, {"message": "Sorry"}, {}, Outcome.MALFORMED),
        (200, "hello", {}, Outcome.MALFORMED),
        (304, None, {}, Outcome.UNCHANGED),
        (301, said("Moved Permanently"), {"location": "https://x"}, Outcome.MOVED),
        (307, said("Temporary Redirect"), {"location": "https://x"}, Outcome.MOVED),
        (401, said("Bad credentials"), {}, Outcome.CREDENTIAL),
        (403, said("Resource not accessible by integration"), {}, Outcome.FORBIDDEN),
        (
            403,
            said("no"),
            {"x_ratelimit_remaining": "0", "x_ratelimit_reset": RESET},
            Outcome.LIMITED,
        ),
        (403, said("You have exceeded a secondary rate limit."), {}, Outcome.LIMITED),
        (403, said("wait"), {"retry_after": "60"}, Outcome.LIMITED),
        (429, said("wait"), {}, Outcome.LIMITED),
        (404, said("Not Found"), {}, Outcome.MISSING),
        (410, said("Gone"), {}, Outcome.MISSING),
        (410, said("Issues are disabled for this repo"), {}, Outcome.NOTHING),
        (409, said("Git Repository is empty."), {}, Outcome.NOTHING),
        (409, said("Conflict"), {}, Outcome.INVALID),
        (204, None, {}, Outcome.NOTHING),
        (451, said("Repository access blocked"), {}, Outcome.MISSING),
        (422, said("Validation Failed"), {}, Outcome.INVALID),
        (400, said("Problems parsing JSON"), {}, Outcome.INVALID),
        (500, None, {}, Outcome.UNAVAILABLE),
        (503, None, {}, Outcome.UNAVAILABLE),
        (502, None, {}, Outcome.HEAVY),
        (504, None, {}, Outcome.HEAVY),
    ],
)
def test_a_lists_answer_means_what_github_says(
    status: int, data: Any, headers: Mapping[str, str], expected: Outcome
) -> None:
    assert outcome(LIST, status, data, **headers) is expected


def test_a_gateway_that_gives_up_on_a_single_item_is_asked_again_instead_of_halved() -> None:
    assert outcome(Call("repositories/1"), 502) is Outcome.UNAVAILABLE
    assert outcome(Call("x", params={"per_page": "1"}), 504) is Outcome.UNAVAILABLE


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"data": {"repository": {}}}, Outcome.OK),
        ({"errors": [{"type": "RATE_LIMITED", "message": "limit"}]}, Outcome.LIMITED),
        ({"errors": [{"type": "RATE_LIMIT", "message": "already exceeded"}]}, Outcome.LIMITED),
        ({"errors": [{"type": "NOT_FOUND", "message": "Could not resolve"}]}, Outcome.MISSING),
        ({"errors": [{"type": "FORBIDDEN", "message": "no"}]}, Outcome.FORBIDDEN),
        ({"errors": [{"type": "INSUFFICIENT_SCOPES", "message": "no"}]}, Outcome.FORBIDDEN),
        ({"errors": [{"message": "Something went wrong while executing"}]}, Outcome.HEAVY),
        (
            {"errors": [{"type": "RESOURCE_LIMITS_EXCEEDED", "message": "Resource limits"}]},
            Outcome.HEAVY,
        ),
        ({"data": None, "errors": [{"message": "timedout: Timeout on validation"}]}, Outcome.HEAVY),
        ({"errors": [{"type": "undefinedField", "message": "no such field"}]}, Outcome.INVALID),
        (
            {"data": {"repository": {"id": 1}}, "errors": [{"message": "one node"}]},
            Outcome.OK,
        ),
        ([], Outcome.MALFORMED),
    ],
)
def test_graphql_tells_its_errors_inside_a_200(data: Any, expected: Outcome) -> None:
    assert outcome(GRAPH, 200, data) is expected


def test_how_long_to_wait_is_read_from_whichever_header_says_it() -> None:
    def wait(**headers: str) -> float | None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return HISTORY.verdict(LIST, Answer(403, named, said("limit")), NOW).retry_after

    assert wait(retry_after="60") == 60
    assert wait(x_ratelimit_remaining="0", x_ratelimit_reset=RESET) == 300
    assert wait(x_ratelimit_remaining="0", x_ratelimit_reset="0") == 1


def test_graphql_that_is_used_up_waits_until_it_is_full_again() -> None:
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": RESET}
    data = {"errors": [{"type": "RATE_LIMIT", "message": "API rate limit already exceeded"}]}
    assert HISTORY.verdict(GRAPH, Answer(200, headers, data), NOW).retry_after == 300


def test_a_moved_repository_says_where() -> None:
    answer = Answer(301, {"location": "https://api.github.com/repositories/1/pulls"}, said("Moved"))
    assert HISTORY.verdict(LIST, answer, NOW).location == answer.headers["location"]


def test_limits_are_read_in_their_own_units() -> None:
    headers = {
        "x-ratelimit-limit": "5000",
        "x-ratelimit-remaining": "4987",
        "x-ratelimit-reset": RESET,
        "x-ratelimit-resource": "core",
    }
    (core,) = HISTORY.limits(LIST, Answer(200, headers, []), NOW)
    assert (core.pool, core.limit, core.remaining) == ("core", 5000, 4987)
    assert core.resets_at == NOW + timedelta(minutes=5)
    points = {"limit": 5000, "remaining": 4990, "resetAt": "2026-02-06T11:00:00Z", "cost": 1}
    (graph,) = HISTORY.limits(GRAPH, Answer(200, {}, {"data": {"rateLimit": points}}), NOW)
    assert (graph.pool, graph.remaining) == ("graphql", 4990)
    assert graph.resets_at == NOW + timedelta(hours=1)
    assert not HISTORY.limits(LIST, Answer(200, {"x-ratelimit-limit": "many"}, []), NOW)


def test_the_token_goes_along_as_a_bearer_and_the_version_is_named() -> None:
    headers = HISTORY.authorize(Credential("personal", "ghp_1"))
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
def test_an_app_asks_for_a_token_with_its_proof_however_the_key_is_written(key: str) -> None:
    call = HISTORY.refresh(APP, AppKeys(client_id="123", private_key=key), "42", NOW)
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
def test_what_an_app_lacks_is_named_and_never_quoted(keys: AppKeys, named: str) -> None:
    with pytest.raises(ValueError, match=named) as raised:
        HISTORY.refresh(APP, keys, "42", NOW)
    assert "hunter2" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_an_installation_that_is_no_number_says_what_to_do() -> None:
    with pytest.raises(ValueError, match="lightfast installation"):
        HISTORY.refresh(APP, AppKeys("1", private_key=PEM), "acme/../x", NOW)


def test_a_personal_token_is_not_renewed() -> None:
    assert HISTORY.refresh(Credential("personal", "t"), AppKeys(), "42", NOW) is None


def test_a_new_token_is_good_until_github_says() -> None:
    answer = Answer(201, {}, {"token": "ghs_1", "expires_at": "2026-02-06T11:00:00Z"})
    renewed = HISTORY.refreshed(APP, answer, NOW)
    assert (renewed.access_token, renewed.expires_at) == ("ghs_1", NOW + timedelta(hours=1))
    lacking: list[Any] = [{}, {"token": "ghs_1"}, [], None]
    for data in lacking:
        with pytest.raises(ValueError, match="no token"):
            HISTORY.refreshed(APP, Answer(201, {}, data), NOW)
