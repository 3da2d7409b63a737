"""The contract of every provider, present and future."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightfast_pipelines.domain.events import Filtered, Lifecycle, Parked, Understood
from lightfast_pipelines.providers import discover
from lightfast_pipelines.providers.malformed_body import MalformedBody
from lightfast_pipelines.providers.webhook_contract import Provider, Refused, Secret
from lightfast_pipelines.settings import Settings
from tests.depth import examples

NOW = datetime(2024, 6, 1, tzinfo=UTC)
PROVIDERS = discover()
SECRET = Secret("env:X", b"secret")

_LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=10)
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=5,
)
_FIELDS = st.sampled_from(
    (
        *("action", "type", "data", "payload", "actor", "id", "createdAt"),
        *("repository", "issue", "organizationId", "installation"),
    )
)


@pytest.fixture(params=sorted(PROVIDERS))
def provider(request: pytest.FixtureRequest) -> Provider:
    return PROVIDERS[request.param]


def test_its_name_is_its_folders_and_its_secrets_are_read_from_the_environment(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert type(provider).__module__.split(".")[2] == provider.name
    assert provider.secret_settings
    for name in provider.secret_settings:
        monkeypatch.setenv(name, "old, new")
        found = Settings().webhook_secrets((name,))
        assert found == [(f"env:{name}", b"old"), (f"env:{name}#2", b"new")]


def test_the_headers_it_keeps_are_in_lower_case_and_none_is_a_credential(
    provider: Provider,
) -> None:
    assert all(header == header.lower() for header in provider.kept_headers)
    assert not provider.kept_headers & {"authorization", "cookie", "x-forwarded-for"}


@pytest.mark.parametrize("secrets", [[], [Secret("env:X", b"")], [SECRET]])
@pytest.mark.parametrize("body", [b"", b"{}", b'{"type":"Issue"}', b"\xff"])
def test_an_unsigned_delivery_is_401_without_detail(
    provider: Provider, secrets: list[Secret], body: bytes
) -> None:
    for signature in ("", "0" * 40, "0" * 64, "sha256=" + "0" * 64):
        headers = dict.fromkeys(provider.kept_headers, signature)
        refused = provider.accept(body, headers, secrets, now=NOW)
        assert isinstance(refused, Refused)
        assert refused.status == 401
        assert body.decode(errors="replace") not in refused.message or not body
    assert isinstance(provider.accept(body, {}, secrets, now=NOW), Refused)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"null", b'{"a":"\xff"}', b"[" * 100_000])
def test_a_body_that_is_not_an_object_is_malformed(provider: Provider, body: bytes) -> None:
    with pytest.raises(MalformedBody):
        provider.decode(body, {})


def test_text_that_cannot_be_stored_is_replaced(provider: Provider) -> None:
    decoded = provider.decode(rb'{"a":"\u0000\ud800"}', {})
    assert decoded == {"a": "\ufffd\ufffd"}


@pytest.mark.parametrize("name", sorted(PROVIDERS))
@examples(40)
@given(payload=st.dictionaries(_FIELDS, _VALUES), data=st.data())
def test_any_object_is_read_routed_and_named(
    name: str, payload: dict[str, Any], data: st.DataObject
) -> None:
    provider = PROVIDERS[name]
    event = data.draw(st.sampled_from([*sorted(provider.default_events), "unheard.of"]))
    reading = provider.read(event, payload)
    assert isinstance(reading, Understood | Filtered | Parked | Lifecycle)
    route = provider.route(event, payload)
    assert route is None or route.resource_key.startswith(f"{name}:")
    assert isinstance(provider.sync_event(event, payload), str)
    json.dumps(payload)


def test_an_unknown_event_is_parked_with_a_reason(provider: Provider) -> None:
    reading = provider.read("unheard.of", {"action": "any"})
    assert isinstance(reading, Parked)
    assert reading.reason


def test_it_declares_the_outcome_of_each_event_once(provider: Provider) -> None:
    names = [(rule.event, rule.action) for rule in provider.events]
    assert names
    assert len(names) == len(set(names))
    for rule in provider.events:
        assert bool(rule.source_types) == (rule.outcome == "delivered")
        assert rule.note or rule.outcome != "filtered"
