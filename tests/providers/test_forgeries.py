"""A hundred thousand forgeries with one byte of body, secret or signature changed: none is accepted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from random import Random

import pytest

from lightfast_pipelines.providers import discover
from lightfast_pipelines.providers.webhook_contract import Accepted, Refused, Secret
from tests.providers.github import payloads as github
from tests.providers.linear import payloads as linear
from tests.providers.sentry import payloads as sentry
from tests.providers.vercel import payloads as vercel

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
CASES = 25_000

Headers = Callable[[bytes, bytes], dict[str, str]]


def _linear(body: bytes, secret: bytes) -> dict[str, str]:
    return linear.delivery_headers(body, secret)


SENDERS: dict[str, tuple[str, bytes, Headers]] = {
    "github": (
        "x-hub-signature-256",
        github.encoded(github.ping()),
        lambda body, secret: github.delivery_headers("ping", body, secret),
    ),
    "vercel": (
        "x-vercel-signature",
        vercel.encoded(vercel.deployment("created")),
        vercel.delivery_headers,
    ),
    "linear": (
        "linear-signature",
        linear.encoded(linear.issue() | {"webhookTimestamp": int(NOW.timestamp() * 1000)}),
        _linear,
    ),
    "sentry": (
        "sentry-hook-signature",
        sentry.encoded(sentry.issue()),
        lambda body, secret: sentry.delivery_headers("issue", body, secret, sent=NOW),
    ),
}


def _changed(chance: Random, value: bytes, alphabet: bytes = bytes(range(256))) -> bytes:
    """Replaces one byte by another; a hex digit changes more than its case."""
    place = chance.randrange(len(value))
    others = [one for one in alphabet if bytes([one]).lower() != value[place : place + 1].lower()]
    return value[:place] + bytes([chance.choice(others)]) + value[place + 1 :]


@pytest.mark.parametrize("name", sorted(SENDERS))
def test_no_delivery_with_one_byte_changed_is_accepted(name: str) -> None:
    header, body, headers = SENDERS[name]
    provider = discover()[name]
    chance = Random(name)
    secret = b"It's a Secret to Everybody"
    genuine = headers(body, secret)
    found = provider.accept(body, genuine, [Secret("env:S", secret)], now=NOW)
    assert isinstance(found, Accepted), found
    accepted = 0
    for number in range(CASES):
        sent, key, signed = body, secret, genuine
        if number % 3 == 0:
            sent = _changed(chance, body)
        elif number % 3 == 1:
            key = _changed(chance, secret)
        else:
            prefix, equals, digits = genuine[header].rpartition("=")
            forged = _changed(chance, digits.encode(), b"0123456789abcdef").decode()
            signed = genuine | {header: f"{prefix}{equals}{forged}"}
        answer = provider.accept(sent, signed, [Secret("env:S", key)], now=NOW)
        accepted += not isinstance(answer, Refused)
    assert accepted == 0
