"""Bodies that hurt whoever reads them carelessly: one of a hundred deliveries has one.

Most are stored and become dead letters or are parked; some are harmless in the end, and some are refused
by the receiver. What becomes of each is compared with a run without faults.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

Payload = dict[str, Any]
# Fields whose text a person wrote.
_WRITTEN = {"title", "body", "message", "description", "githubCommitMessage"}


def _wrong_shape(payload: Payload, chance: random.Random) -> bytes:
    """An object where a list or a number belongs, or the other way round."""
    payload = dict(payload)
    for name in list(payload):
        if name != "repository" and isinstance(payload[name], dict | list):
            payload[name] = chance.choice(["text", 7, None, [[]], {"id": {"id": []}}])
    return _json(payload)


def _many_values(payload: Payload, chance: random.Random) -> bytes:
    """More values than capture decodes (1,000,000)."""
    zeros = b",".join([b"0"] * (1_000_000 + chance.randrange(1000)))
    return _json(payload)[:-1] + b',"padding":[' + zeros + b"]}"


def _nul(payload: Payload, chance: random.Random) -> bytes:
    """NUL characters, which Postgres does not store in text, in every text."""
    return _json(_every_text(payload, lambda text: f"{text}\0{chance.randrange(10)}\0"))


def _surrogates(payload: Payload, _chance: random.Random) -> bytes:
    """Lone surrogates, which are JSON but not Unicode."""
    text = json.dumps(_every_text(payload, lambda text: f"{text}\ud800"))
    return text.encode()


def _deep(payload: Payload, chance: random.Random) -> bytes:
    """Nested as deeply as is just allowed."""
    levels = chance.randrange(200, 250)
    return _json(payload)[:-1] + b',"deep":' + b"[" * levels + b"]" * levels + b"}"


def _long_text(payload: Payload, chance: random.Random) -> bytes:
    """Texts of hundreds of kilobytes, full of what looks like names, addresses and references."""
    long = "see acme/web#7, @someone, ENG-12, a@b.example " * chance.randrange(5_000, 7_000)
    return _json(_every_text(payload, lambda text: f"{text} {long}"))


def _odd_numbers(payload: Payload, _chance: random.Random) -> bytes:
    """Numbers that no column holds."""
    odd = b',"size":1e400,"count":123456789012345678901234567890,"number":-0.0}'
    return _json(payload)[:-1] + odd


POISONS: dict[str, Callable[[Payload, random.Random], bytes]] = {
    "wrong shape": _wrong_shape,
    "1,000,000 values": _many_values,
    "NUL characters": _nul,
    "lone surrogates": _surrogates,
    "deep nesting": _deep,
    "long text": _long_text,
    "odd numbers": _odd_numbers,
}


def _json(payload: Payload) -> bytes:
    return json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()


def _every_text(value: Any, change: Callable[[str], str], key: str = "") -> Any:
    """The value with each text changed that a person wrote."""
    if isinstance(value, dict):
        return {name: _every_text(inner, change, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [_every_text(inner, change, key) for inner in value]
    if isinstance(value, str) and key in _WRITTEN:
        return change(value)
    return value
