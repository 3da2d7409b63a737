"""Which of Vercel's deliveries are accepted, under which id, and how they are routed."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightfast_pipelines.domain.events import Route
from lightfast_pipelines.providers.vercel import PROVIDER
from lightfast_pipelines.providers.vercel.webhooks.signature import sign, verified_by
from lightfast_pipelines.providers.webhook_contract import Accepted, Refused, Secret
from tests.providers.vercel import payloads

NOW = datetime(2024, 6, 1, tzinfo=UTC)
SECRET = Secret("env:VERCEL_CLIENT_INTEGRATION_SECRET", b"topsecret")
BODY = '{"a":1,"t":"é"}'.encode()
HEX = "ae599b07429205467d03d7f6c35541196fb7ab7c"


def offered(body: bytes, signature: str | None = None, **more: str) -> Accepted | Refused:
    headers = {"x-vercel-signature": signature or sign(body, SECRET.value), **more}
    return PROVIDER.accept(body, headers, [SECRET], now=NOW)


@pytest.mark.parametrize("digits", [HEX, HEX.upper()])
def test_the_bytes_of_the_body_verify_in_hex_of_either_case(digits: str) -> None:
    assert verified_by(BODY, digits, [SECRET]) == SECRET.name


@pytest.mark.parametrize(
    "signature",
    ["", f"sha1={HEX}", HEX[:-1], HEX[:-2], f"{HEX}00", f"{HEX[:-1]}g", f" {HEX}", f"{HEX}\n"],
)
def test_any_other_form_is_refused_without_detail(signature: str) -> None:
    headers = {"x-vercel-signature": signature}
    assert PROVIDER.accept(BODY, headers, [SECRET], now=NOW) == Refused(
        401, "signature missing or not valid"
    )
    assert isinstance(PROVIDER.accept(BODY, {}, [SECRET], now=NOW), Refused)


@pytest.mark.parametrize("secrets", [[], [Secret("env:X", b"")]])
def test_without_a_secret_nothing_verifies(secrets: list[Secret]) -> None:
    assert verified_by(BODY, sign(BODY, b""), secrets) is None
    assert verified_by(BODY, HEX, secrets) is None


@given(body=st.binary(), secret=st.binary(min_size=1), data=st.data())
def test_one_changed_byte_of_body_secret_or_signature_never_verifies(
    body: bytes, secret: bytes, data: st.DataObject
) -> None:
    signature = sign(body, secret)
    assert verified_by(body, signature, [Secret("s", secret)]) == "s"
    bits = data.draw(st.integers(1, 255))

    def changed(value: bytes) -> bytes:
        position = data.draw(st.integers(0, len(value) - 1))
        return value[:position] + bytes([value[position] ^ bits]) + value[position + 1 :]

    other_secret = Secret("s", bytes([secret[0] ^ bits]) + secret[1:])
    other_signature = changed(bytes.fromhex(signature)).hex()
    assert verified_by(body, other_signature, [Secret("s", secret)]) is None
    assert verified_by(body, signature, [other_secret]) is None
    if body:
        assert verified_by(changed(body), signature, [Secret("s", secret)]) is None


def test_the_published_example_verifies_and_no_change_of_it_does(shared: Path) -> None:
    folder = shared / "payloads" / "vercel" / "signature_vectors"
    (vector,) = [json.loads(path.read_bytes()) for path in folder.glob("*.json")]
    body, secret = vector["body"].encode(), Secret("s", vector["secret"].encode())
    assert sign(body, secret.value) == vector["signature"]
    headers = {"x-vercel-signature": vector["signature"]}
    accepted = PROVIDER.accept(body, headers, [secret], now=NOW)
    assert accepted == Accepted("uev_ZfbZKA3Ts2aEa2Cic6t6wSZ3", "deployment.created", "s")
    for position in range(len(body)):
        changed = body[:position] + bytes([body[position] ^ 1]) + body[position + 1 :]
        assert verified_by(changed, vector["signature"], [secret]) is None


def test_the_delivery_id_is_the_bodys_id_whatever_the_header_says() -> None:
    body = payloads.encoded(payloads.deployment(event_id="evt_7"))
    for attempt in ("iad1::one", "iad1::two"):
        accepted = offered(body, **{"x-vercel-id": attempt})
        assert accepted == Accepted("evt_7", "deployment.created", SECRET.name)


@pytest.mark.parametrize("identity", [None, "", 7, "x" * 201, "a\nb"])
def test_without_an_id_the_delivery_id_is_the_hash_of_the_body(identity: object) -> None:
    body = payloads.encoded({**payloads.deployment(), "id": identity})
    accepted = offered(body)
    assert isinstance(accepted, Accepted)
    assert accepted.delivery_id == hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"not json", b"{}", b'{"type":""}', b'{"type":7}', b'{"type":"a\\nb"}'],
)
def test_a_verified_body_without_a_type_is_400(body: bytes) -> None:
    answer = offered(body)
    assert isinstance(answer, Refused)
    assert answer.status == 400


def routed(payload: dict[str, Any]) -> Route | None:
    return PROVIDER.route(payload["type"], payload)


def test_a_deployment_goes_to_its_project_or_the_projects_team() -> None:
    assert routed(payloads.deployment()) == Route(
        "vercel:project:prj_1",
        "prj_1",
        "shop",
        "icfg_1",
        alternatives=(("vercel:team:team_1", "team_1"),),
    )
    personal = routed(payloads.deployment(team=None))
    assert personal is not None
    assert personal.alternatives == ()


def test_an_event_without_a_project_goes_to_the_team_or_where_its_deployment_went() -> None:
    payload = payloads.deployment("check-rerequested", project=None)
    found = routed(payload)
    assert found is not None
    assert (found.resource_key, found.via) == ("vercel:team:team_1", "vercel:deployment:dpl_1")
    payload["payload"] = {"deployment": {"id": "dpl_1"}, "check": {"id": "chk_1"}}
    found = routed(payload)
    assert found is not None
    assert found.via == "vercel:deployment:dpl_1"
    assert routed({"type": "deployment.created", "payload": {}}) is None


def test_an_old_event_names_its_project_outside_of_an_object() -> None:
    payload = payloads.deployment(project=None, projectId="prj_9")
    found = routed({**payload, "type": "deployment"})
    assert found is not None
    assert found.resource_key == "vercel:project:prj_9"


def test_an_event_of_the_connection_goes_to_its_installation() -> None:
    payload = payloads.configuration()
    del payload["payload"]["team"]
    found = routed(payload)
    assert found is not None
    assert (found.resource_key, found.installation_id) == ("vercel:installation:icfg_1", "icfg_1")
