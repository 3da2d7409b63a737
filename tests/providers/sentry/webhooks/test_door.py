"""Which deliveries are accepted, by signature, time, headers and body."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightfast_pipelines.providers.malformed_body import MalformedBody
from lightfast_pipelines.providers.sentry import PROVIDER
from lightfast_pipelines.providers.sentry.webhooks.signature import sent_at, sign, verified_by
from lightfast_pipelines.providers.webhook_contract import Accepted, Refused, Secret
from tests.providers.sentry import payloads
from tests.providers.sentry.payloads import NOW

SECRET = Secret("env:SENTRY_CLIENT_SECRET", b"secret")
VECTOR_BODY = '{"a":1,"t":"é"}'.encode()
VECTOR = "5f64eb8e8b951ecf317ef67d0e9b97ff7998de42a8e34760d9bf2f5d4f44fdb1"
BODY = payloads.encoded(payloads.issue())


def offered(
    body: bytes = BODY, resource: str = "issue", drop: str = "", **more: str
) -> Accepted | Refused:
    changed = {name.replace("_", "-"): value for name, value in more.items()}
    headers = {**payloads.delivery_headers(resource, body), **changed}
    headers.pop(drop, None)
    return PROVIDER.accept(body, headers, [SECRET], now=NOW)


def status(answer: Accepted | Refused) -> int:
    assert isinstance(answer, Refused), answer
    return answer.status


@pytest.mark.parametrize("digits", [VECTOR, VECTOR.upper()])
def test_the_published_digest_verifies_in_hex_of_either_case(digits: str) -> None:
    secrets = [Secret("env:X", b"old"), Secret("env:X#2", b"topsecret")]
    assert sign(VECTOR_BODY, b"topsecret") == VECTOR
    assert verified_by(VECTOR_BODY, digits, secrets) == "env:X#2"


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "sha256=" + VECTOR,
        VECTOR[:-1],
        VECTOR[:-2],
        VECTOR + "00",
        VECTOR[:-1] + "g",
        " " + VECTOR,
    ],
)
def test_any_other_form_is_refused_without_detail(signature: str) -> None:
    refused = offered(VECTOR_BODY, sentry_hook_signature=signature)
    assert refused == Refused(401, "signature missing or not valid")
    assert refused == offered(VECTOR_BODY, drop="sentry-hook-signature")


@pytest.mark.parametrize("secrets", [[], [Secret("env:X", b"")]])
def test_without_a_secret_nothing_verifies(secrets: list[Secret]) -> None:
    headers = payloads.delivery_headers("issue", BODY, b"")
    assert status(PROVIDER.accept(BODY, headers, secrets, now=NOW)) == 401


@given(body=st.binary(min_size=1), secret=st.binary(min_size=1), data=st.data())
def test_one_changed_byte_of_body_secret_or_signature_never_verifies(
    body: bytes, secret: bytes, data: st.DataObject
) -> None:
    def other(value: bytes, last: int) -> bytes:
        position = data.draw(st.integers(0, last))
        changed = value[position] ^ data.draw(st.integers(1, 255))
        return value[:position] + bytes([changed]) + value[position + 1 :]

    signature = sign(body, secret)
    digits = other(bytes.fromhex(signature), 31).hex()
    assert verified_by(body, signature, [Secret("s", secret)]) == "s"
    assert verified_by(body, digits, [Secret("s", secret)]) is None
    assert verified_by(other(body, len(body) - 1), signature, [Secret("s", secret)]) is None
    # HMAC pads a short key with zeros and hashes a long one: an added NUL is no other key.
    assert verified_by(body, signature, [Secret("s", other(secret, 0))]) is None


def test_the_request_id_is_the_deliverys_id_and_without_one_the_bodys_hash() -> None:
    accepted = offered(request_id="r-1")
    assert accepted == Accepted("r-1", "issue", SECRET.name)
    nameless = offered(drop="request-id")
    assert isinstance(nameless, Accepted)
    assert nameless.delivery_id == hashlib.sha256(BODY).hexdigest()


def test_two_deliveries_of_one_second_have_ids_of_their_own() -> None:
    bodies = [payloads.encoded(payloads.issue(issue_id=number)) for number in ("1", "2")]
    found = [offered(body, drop="request-id") for body in bodies]
    assert len({one.delivery_id for one in found if isinstance(one, Accepted)}) == 2


@pytest.mark.parametrize("seconds", [-300, -1, 0, 299, 300])
def test_a_time_within_the_tolerance_is_accepted(seconds: int) -> None:
    headers = payloads.delivery_headers("issue", BODY, sent=NOW + timedelta(seconds=seconds))
    assert isinstance(PROVIDER.accept(BODY, headers, [SECRET], now=NOW), Accepted)


@pytest.mark.parametrize("seconds", [-3600, -301, 301, 86_400])
def test_a_time_outside_the_tolerance_is_401(seconds: int) -> None:
    headers = payloads.delivery_headers("issue", BODY, sent=NOW + timedelta(seconds=seconds))
    assert status(PROVIDER.accept(BODY, headers, [SECRET], now=NOW)) == 401


@pytest.mark.parametrize(
    "value", ["soon", "-1717243200", "1e9", "NaN", "2024-06-01T12:00:00Z", "²"]
)
def test_a_malformed_time_is_400(value: str) -> None:
    assert status(offered(sentry_hook_timestamp=value)) == 400


def test_seconds_with_a_fraction_and_milliseconds_are_the_same_moment() -> None:
    assert sent_at("1566248317") == sent_at("1566248317.0") == sent_at("1566248317000")


@pytest.mark.parametrize("header", ["sentry-hook-resource", "sentry-hook-timestamp"])
def test_a_missing_header_is_400_and_says_which(header: str) -> None:
    blank = {**payloads.delivery_headers("issue", BODY), header: " "}
    for refused in (offered(drop=header), PROVIDER.accept(BODY, blank, [SECRET], now=NOW)):
        assert status(refused) == 400
        assert isinstance(refused, Refused)
        assert header in refused.message.lower()


@pytest.mark.parametrize("value", ["a" * 201, "a\x00b"])
def test_a_header_that_is_not_of_sentrys_form_is_400(value: str) -> None:
    assert status(offered(request_id=value)) == 400
    assert status(offered(resource=value)) == 400


def test_a_resource_that_the_body_contradicts_is_400() -> None:
    bodies = {
        "issue": payloads.issue(),
        "error": payloads.error(),
        "event_alert": payloads.event_alert(),
        "metric_alert": payloads.metric_alert(),
        "comment": payloads.comment(),
        "installation": payloads.installation(),
    }
    for told, payload in bodies.items():
        for resource in bodies:
            answer = offered(payloads.encoded(payload), resource)
            if told == resource:
                assert isinstance(answer, Accepted)
            else:
                assert status(answer) == 400


def test_an_unknown_resource_or_body_is_accepted() -> None:
    assert isinstance(offered(resource="preprod_artifact"), Accepted)
    assert isinstance(offered(b'{"data":{"error":null}}', "error"), Accepted)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"a":NaN}', b'{"a":"\xff"}', b"null"])
def test_a_body_that_is_no_object_is_400(body: bytes) -> None:
    assert status(offered(body)) == 400
    with pytest.raises(MalformedBody):
        PROVIDER.decode(body, {})


def test_the_answer_to_an_unverified_delivery_names_no_other_fault() -> None:
    headers = {"sentry-hook-signature": "0" * 64}
    refused = PROVIDER.accept(b"not json", headers, [SECRET], now=NOW)
    assert refused == Refused(401, "signature missing or not valid")


def test_the_time_of_sending_comes_from_the_header_alone() -> None:
    headers = payloads.delivery_headers("issue", b"{}")
    assert PROVIDER.decode(b'{"_hook_timestamp":1}', {}) == {}
    assert PROVIDER.decode(b'{"_hook_timestamp":1}', headers) == {
        "_hook_timestamp": NOW.timestamp()
    }
    assert PROVIDER.decode(b"{}", {"sentry-hook-timestamp": "soon"}) == {}
