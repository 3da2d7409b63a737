"""The published vectors verify, and nothing that differs from them by a byte."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightfast_pipelines.providers.github import PROVIDER
from lightfast_pipelines.providers.github.webhooks.signature import sign, verified_by
from lightfast_pipelines.providers.webhook_contract import Accepted, Refused, Secret
from tests.providers.github import payloads

BODY = '{"a":1,"t":"é"}'.encode()
SECRET = Secret("env:GITHUB_WEBHOOK_SECRET", b"topsecret")
HEX = "5f64eb8e8b951ecf317ef67d0e9b97ff7998de42a8e34760d9bf2f5d4f44fdb1"

NOW = datetime(2024, 6, 1, tzinfo=UTC)


def headers(signature: str | None) -> dict[str, str]:
    found = {"x-github-event": "ping", "x-github-delivery": "d-1"}
    return found if signature is None else {**found, "x-hub-signature-256": signature}


@pytest.mark.parametrize("digits", [HEX, HEX.upper()])
def test_the_bytes_of_the_body_verify_in_hex_of_either_case(digits: str) -> None:
    assert PROVIDER.accept(BODY, headers(f"sha256={digits}"), [SECRET], now=NOW) == Accepted(
        "d-1", "ping", SECRET.name
    )


@pytest.mark.parametrize(
    "signature",
    [
        None,
        "",
        HEX,
        f"sha1={HEX}",
        f"SHA256={HEX}",
        f"sha256={HEX[:-1]}",
        f"sha256={HEX[:-2]}",
        f"sha256={HEX}00",
        f"sha256={HEX[:-1]}g",
        f"sha256={HEX[:-1]}é",
        f"sha256= {HEX}",
        f"sha256={HEX}\n",
        f"sha256={HEX[:32]} {HEX[32:-1]}",
        "sha1=" + hmac.new(SECRET.value, BODY, hashlib.sha1).hexdigest(),
    ],
)
def test_any_other_form_is_refused_without_detail(signature: str | None) -> None:
    refused = PROVIDER.accept(BODY, headers(signature), [SECRET], now=NOW)
    assert refused == Refused(401, "signature missing or not valid")


def test_the_sha1_header_alone_is_refused() -> None:
    sha1 = "sha1=" + hmac.new(SECRET.value, BODY, hashlib.sha1).hexdigest()
    refused = PROVIDER.accept(BODY, {**headers(None), "x-hub-signature": sha1}, [SECRET], now=NOW)
    assert isinstance(refused, Refused)
    assert refused.status == 401


@pytest.mark.parametrize("secrets", [[], [Secret("env:X", b"")]])
def test_without_a_secret_nothing_verifies_not_even_an_empty_one(secrets: list[Secret]) -> None:
    assert isinstance(PROVIDER.accept(BODY, headers(sign(BODY, b"")), secrets, now=NOW), Refused)
    assert isinstance(PROVIDER.accept(BODY, headers(f"sha256={HEX}"), secrets, now=NOW), Refused)


def test_during_rotation_either_secret_verifies_and_is_named() -> None:
    secrets = [Secret("env:X", b"old"), Secret("env:X#2", b"new")]
    for secret in secrets:
        assert verified_by(BODY, sign(BODY, secret.value), secrets) == secret.name


def test_a_reserialized_body_or_one_with_a_byte_order_mark_does_not_verify() -> None:
    written_anew = json.dumps(json.loads(BODY)).encode()
    for body in (written_anew, b"\xef\xbb\xbf" + BODY, BODY + b"\n", b""):
        assert verified_by(body, f"sha256={HEX}", [SECRET]) is None


def test_the_sender_of_an_unverified_delivery_learns_nothing_about_other_errors() -> None:
    for body, extra in ((b"not json", {}), (BODY, {"x-github-event": ""})):
        refused = PROVIDER.accept(
            body, {**headers(f"sha256={'0' * 64}"), **extra}, [SECRET], now=NOW
        )
        assert refused == Refused(401, "signature missing or not valid")


@given(body=st.binary(), secret=st.binary(min_size=1), data=st.data())
def test_one_changed_byte_of_body_secret_or_signature_never_verifies(
    body: bytes, secret: bytes, data: st.DataObject
) -> None:
    signature = sign(body, secret)
    assert verified_by(body, signature, [Secret("s", secret)]) == "s"
    for given_body, given_secret, given_signature in _changed(body, secret, signature, data):
        assert verified_by(given_body, given_signature, [Secret("s", given_secret)]) is None


def _changed(
    body: bytes, secret: bytes, signature: str, data: st.DataObject
) -> list[tuple[bytes, bytes, str]]:
    digits = bytes.fromhex(signature.removeprefix("sha256="))
    found = [(body, secret, "sha256=" + _other(digits, data).hex())]
    if body:
        found.append((_other(body, data), secret, signature))
    # HMAC pads a short key with zeros and hashes a long one: a key with an added NUL is the same key.
    found.append(
        (body, bytes([secret[0] ^ data.draw(st.integers(1, 255))]) + secret[1:], signature)
    )
    return found


def _other(value: bytes, data: st.DataObject) -> bytes:
    position = data.draw(st.integers(0, len(value) - 1))
    bits = data.draw(st.integers(1, 255))
    return value[:position] + bytes([value[position] ^ bits]) + value[position + 1 :]


def test_the_published_vectors_verify_and_no_change_of_them_does(shared: Path) -> None:
    folder = shared / "payloads" / "github" / "signature_vectors"
    vectors = [json.loads(path.read_bytes()) for path in sorted(folder.glob("*.json"))]
    sha256 = [vector for vector in vectors if vector["algorithm"] == "hmac-sha256"]
    assert len(sha256) == 4
    for vector in sha256:
        body, secret = vector["body"].encode(), vector["secret"].encode()
        signature = vector["signature"]
        assert sign(body, secret) == signature
        assert verified_by(body, signature, [Secret("s", secret)]) == "s"
        for position in range(len(body)):
            changed = body[:position] + bytes([body[position] ^ 1]) + body[position + 1 :]
            assert verified_by(changed, signature, [Secret("s", secret)]) is None
        for position in range(len("sha256="), len(signature)):
            digit = "0" if signature[position] != "0" else "1"
            changed_signature = signature[:position] + digit + signature[position + 1 :]
            assert verified_by(body, changed_signature, [Secret("s", secret)]) is None
    for vector in vectors:
        if vector["algorithm"] == "hmac-sha1":
            secret = Secret("s", vector["secret"].encode())
            assert verified_by(vector["body"].encode(), vector["signature"], [secret]) is None


def test_the_builders_headers_are_accepted() -> None:
    body = payloads.encoded(payloads.ping())
    accepted = PROVIDER.accept(
        body, payloads.delivery_headers("ping", body), [Secret("s", b"secret")], now=NOW
    )
    assert accepted == Accepted("d-1", "ping", "s")
