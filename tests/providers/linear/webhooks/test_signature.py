"""Which of Linear's deliveries are accepted: signed, recent, and named by what is signed."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightfast_pipelines.providers.linear import PROVIDER
from lightfast_pipelines.providers.linear.provider import Linear
from lightfast_pipelines.providers.linear.webhooks.signature import sign
from lightfast_pipelines.providers.malformed_body import MalformedBody
from lightfast_pipelines.providers.webhook_contract import Accepted, Refused, Secret
from tests.providers.linear import payloads

SECRET = Secret("env:LINEAR_WEBHOOK_SIGNING_SECRET", b"topsecret")
NOW = payloads.SENT_AT
ISSUE = payloads.encoded(payloads.issue())
UNSIGNED = Refused(401, "signature missing or not valid")


def offer(
    body: bytes, now: datetime = NOW, provider: Linear = PROVIDER, **more: str
) -> Accepted | Refused:
    headers = payloads.delivery_headers(body, SECRET.value, **more)
    return provider.accept(body, headers, [SECRET], now=now)


def sent_at(stamp: object, **more: object) -> bytes:
    return payloads.encoded({**payloads.issue(), "webhookTimestamp": stamp, **more})


def refusal(answer: Accepted | Refused) -> tuple[int, str]:
    assert isinstance(answer, Refused), answer
    return answer.status, answer.message


def test_the_signature_is_plain_hex_of_the_raw_bytes() -> None:
    vector = "5f64eb8e8b951ecf317ef67d0e9b97ff7998de42a8e34760d9bf2f5d4f44fdb1"
    assert sign('{"a":1,"t":"é"}'.encode(), b"topsecret") == vector


def test_a_delivery_is_accepted_under_the_name_that_the_body_gives_it() -> None:
    assert offer(ISSUE) == Accepted("d-1", "Issue", SECRET.name)
    digits = sign(ISSUE, SECRET.value).upper()
    assert offer(ISSUE, linear_signature=digits) == Accepted("d-1", "Issue", SECRET.name)


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "sha256=" + sign(ISSUE, SECRET.value),
        sign(ISSUE, SECRET.value)[:-1],
        sign(ISSUE, SECRET.value)[:-2],
        sign(ISSUE, SECRET.value)[:-1] + "g",
        sign(ISSUE, SECRET.value) + "\n",
        sign(ISSUE, b"other"),
        sign(json.dumps(json.loads(ISSUE)).encode(), SECRET.value),
        sign(b"\xef\xbb\xbf" + ISSUE, SECRET.value),
    ],
)
def test_any_other_signature_is_refused_without_detail(signature: str) -> None:
    assert offer(ISSUE, linear_signature=signature) == UNSIGNED


def test_a_missing_signature_is_refused_whatever_the_body_is() -> None:
    assert PROVIDER.accept(ISSUE, {}, [SECRET], now=NOW) == UNSIGNED
    assert PROVIDER.accept(b"", {}, [SECRET], now=NOW) == UNSIGNED


@pytest.mark.parametrize("secrets", [[], [Secret("env:X", b"")]])
def test_without_a_secret_nothing_verifies_not_even_an_empty_secrets_signature(
    secrets: list[Secret],
) -> None:
    headers = payloads.delivery_headers(ISSUE, b"")
    assert PROVIDER.accept(ISSUE, headers, secrets, now=NOW) == UNSIGNED


def test_while_rotating_either_secret_verifies_and_is_named() -> None:
    secrets = [Secret("env:X", b"old"), Secret("env:X#2", b"new")]
    for secret in secrets:
        headers = payloads.delivery_headers(ISSUE, secret.value)
        answer = PROVIDER.accept(ISSUE, headers, secrets, now=NOW)
        assert answer == Accepted("d-1", "Issue", secret.name)


@given(st.data())
def test_one_changed_byte_of_body_secret_or_signature_never_verifies(data: st.DataObject) -> None:
    parts = {
        "body": ISSUE,
        "secret": SECRET.value,
        "signature": bytes.fromhex(sign(ISSUE, SECRET.value)),
    }
    name = data.draw(st.sampled_from(sorted(parts)))
    at = data.draw(st.integers(0, len(parts[name]) - 1))
    by = data.draw(st.integers(1, 255))
    changed = bytearray(parts[name])
    changed[at] ^= by
    parts[name] = bytes(changed)
    headers = {"linear-signature": parts["signature"].hex(), "linear-delivery": "d"}
    secrets = [Secret("env:X", parts["secret"])]
    assert PROVIDER.accept(parts["body"], headers, secrets, now=NOW) == UNSIGNED


@pytest.mark.parametrize("seconds", [0, 60, 3660, 7 * 3600 + 120, 8 * 3600, -60])
def test_a_delivery_is_accepted_at_each_of_its_attempts(seconds: int) -> None:
    assert isinstance(offer(ISSUE, NOW + timedelta(seconds=seconds)), Accepted)


@pytest.mark.parametrize("seconds", [8 * 3600 + 1, 86_400, -61, -3600])
def test_a_delivery_that_is_too_old_or_from_the_future_is_401_despite_its_signature(
    seconds: int,
) -> None:
    stale = offer(ISSUE, NOW + timedelta(seconds=seconds))
    assert refusal(stale) == (401, "timestamp outside tolerance")


def test_the_tolerance_is_a_setting() -> None:
    patient, strict = Linear(3600), Linear(0.5)
    later = NOW + timedelta(seconds=3600)
    assert isinstance(offer(ISSUE, later, patient), Accepted)
    assert isinstance(offer(ISSUE, later + timedelta(seconds=1), patient), Refused)
    assert isinstance(offer(ISSUE, NOW + timedelta(seconds=1), strict), Refused)


@pytest.mark.parametrize(
    "stamp", [int(NOW.timestamp() * 1000), NOW.timestamp() * 1000, "2024-05-02T12:00:01.000Z"]
)
def test_the_time_is_read_in_milliseconds_and_as_iso_text(stamp: object) -> None:
    assert isinstance(offer(sent_at(stamp)), Accepted)


@pytest.mark.parametrize(
    "stamp", [None, "", True, {}, [], "soon", "1714651201000", "2024", 10**400, -(10**18)]
)
def test_without_a_readable_time_a_delivery_is_401(stamp: object) -> None:
    status, message = refusal(offer(sent_at(stamp)))
    assert status == 401
    assert message.startswith("timestamp")


def test_a_payload_of_2021_signs_no_time_and_is_refused() -> None:
    body = payloads.encoded(payloads.issue(generation=2021))
    assert refusal(offer(body)) == (401, "timestamp missing")


def test_an_iso_time_is_not_taken_for_the_number_of_its_year() -> None:
    body = sent_at("2026-02-06T10:00:00Z")
    assert isinstance(offer(body, datetime(2026, 2, 6, 10, tzinfo=UTC)), Accepted)


def test_the_hash_of_the_body_stands_in_for_a_missing_delivery_id() -> None:
    answer = offer(ISSUE, linear_delivery="")
    assert isinstance(answer, Accepted)
    assert answer.delivery_id == hashlib.sha256(ISSUE).hexdigest()
    headers = {"linear-signature": sign(ISSUE, SECRET.value)}
    assert PROVIDER.accept(ISSUE, headers, [SECRET], now=NOW) == answer


@pytest.mark.parametrize("delivery", ["a\x00b", "a" * 201, "a\x7f"])
def test_a_delivery_id_that_linear_would_not_send_is_400(delivery: str) -> None:
    status, message = refusal(offer(ISSUE, linear_delivery=delivery))
    assert status == 400
    assert "Linear-Delivery" in message


def test_the_unsigned_header_cannot_turn_one_event_into_another() -> None:
    assert isinstance(offer(ISSUE, linear_event="Issue"), Accepted)
    status, message = refusal(offer(ISSUE, linear_event="Comment"))
    assert status == 400
    assert "Linear-Event" in message


@pytest.mark.parametrize("kind", [None, "", "  ", 7, "a" * 201, "a\nb", {}])
def test_a_body_without_a_name_for_its_event_is_400(kind: object) -> None:
    body = sent_at(payloads.issue()["webhookTimestamp"], type=kind)
    assert refusal(offer(body))[0] == 400


def test_an_unknown_event_is_accepted() -> None:
    body = sent_at(payloads.issue()["webhookTimestamp"], type="Initiative")
    assert offer(body) == Accepted("d-1", "Initiative", SECRET.name)


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b'{"a":"\xff"}', b'{"a":NaN}'])
def test_a_signed_body_that_is_no_json_object_is_400(body: bytes) -> None:
    assert refusal(offer(body))[0] == 400
    with pytest.raises(MalformedBody):
        PROVIDER.decode(body, {})


def test_nul_and_lone_surrogates_become_replacement_characters() -> None:
    assert PROVIDER.decode(rb'{"a\u0000":"\ud800"}', {}) == {"a\ufffd": "\ufffd"}


@given(
    st.dictionaries(
        st.sampled_from(["linear-signature", "linear-delivery", "linear-event", "content-type"]),
        st.text(max_size=80),
    ),
    st.binary(max_size=60),
)
def test_no_headers_and_no_body_make_accept_raise(headers: dict[str, str], body: bytes) -> None:
    assert PROVIDER.accept(body, headers, [SECRET], now=NOW) == UNSIGNED
    signed = {**headers, "linear-signature": sign(body, SECRET.value)}
    assert isinstance(PROVIDER.accept(body, signed, [SECRET], now=NOW), Refused)
