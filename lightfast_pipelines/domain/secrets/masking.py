"""Masks secrets in what a provider read out of a payload: the one gate before every derived table.

The payload's bytes stay as they came. Everything else that a reading or a route says goes through
here: texts, but also keys, aliases, ids, states, identities and metadata, for a token may well be a
label's name. How secrets are written stands in `secret_formats.py`.
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass, replace
from datetime import datetime
from functools import cache, lru_cache
from typing import Any, TypeVar

from lightfast_pipelines.domain.secrets.formats import (
    formats,
    may_hold_secret,
    public_prefix,
)
from lightfast_pipelines.domain.secrets.spoken import spoken_secrets

MASK = "…[secret masked]"

_T = TypeVar("_T")

_PRIVATE_KEY = re.compile(
    r"(-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----)"
    r"(?:[^-]*(?:-(?!----)[^-]*)*-----END [A-Z0-9 ]{0,40}-----"
    r"|(?:\s+[A-Za-z0-9+/=:,.]+(?: [A-Za-z0-9+/=:,.-]+)*)+)"
)
# PuTTY's.
_PRIVATE_LINES = re.compile(r"(Private-Lines: \d{1,4}\s{1,4})[A-Za-z0-9+/=\n\r]+")
# Nothing but hexadecimal is a sha, a UUID or an id of an account, whatever stands around it.
_HEXADECIMAL = re.compile(r"[0-9a-fA-F]+(?:-[0-9a-fA-F]{4,12})*")
# Shorter ones (`password=hunter2`) are only masked where they are called so: a word may be the same.
_LONG_ENOUGH_TO_FOLLOW = 16


def mask_text(text: str) -> str:
    """`text` with each secret replaced by what its kind is known by and MASK; the same if it has none."""
    return _mask(text)[0] if may_hold_secret(text) else text


# A commit's message is its content, its link text and the text that closing words are read from.
@lru_cache(maxsize=256)
def _mask(text: str) -> tuple[str, tuple[str, ...]]:
    """The masked text, and the secrets that were in it."""
    found: list[str] = []
    masked = _PRIVATE_KEY.sub(rf"\1{MASK}", text) if "PRIVATE KEY" in text else text
    if "Private-Lines:" in text:
        masked = _PRIVATE_LINES.sub(rf"\1{MASK}\n", masked)
    for pattern, group in formats():
        spans = [
            match.span(group)
            for match in pattern.finditer(masked)
            if match[group] and _is_token(match[group])
        ]
        masked = _replaced(masked, spans, found)
    return _replaced(masked, sorted(set(spoken_secrets(masked))), found), tuple(found)


def _replaced(text: str, spans: Iterable[tuple[int, int]], found: list[str]) -> str:
    pieces: list[str] = []
    position = 0
    for start, end in spans:
        if start < position:
            continue
        secret = text[start:end]
        found.append(secret)
        pieces += (text[position:start], public_prefix(secret), MASK)
        position = end
    return "".join((*pieces, text[position:])) if pieces else text


def _is_token(secret: str) -> bool:
    """Whether it is none of what only looks so: a sha, or something that begins like a JSON Web Token."""
    if _HEXADECIMAL.fullmatch(secret):
        return False
    return not secret.startswith("eyJ") or _is_header(secret.partition(".")[0])


def _is_header(encoded: str) -> bool:
    """Whether this is the header of a JSON Web Token, signed or encrypted."""
    try:
        header = json.loads(urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    except (ValueError, RecursionError):
        return False
    return isinstance(header, dict) and not header.keys().isdisjoint(("alg", "typ", "enc"))


# Names of kinds, which are the code's own words and no payload's.
_NO_PAYLOADS = frozenset(
    {
        *("source", "source_type", "type", "role", "extractor", "method"),
        *("resource_key", "resource_id", "installation_id", "alternatives"),
        *("subject_kind", "subject_id", "change", "kind"),
    }
)
_NO_TEXT = frozenset({type(None), bool, int, float, datetime})


def mask(reading: _T) -> _T:
    """A reading, route or any value of `domain.events`, with secrets masked in all that it says.

    The same object where nothing is to be masked. What is found in one place is masked in all, also
    where a key holds it in small letters. The ids by which a resource is linked, which are the
    provider's, are left alone.
    """
    texts: set[str] = set()
    _gather(reading, texts)
    if not may_hold_secret("\n".join(texts)):
        return reading
    secrets = {one for text in texts if may_hold_secret(text) for one in _mask(text)[1]}
    if not secrets:
        return reading
    follow = sorted({one.lower() for one in secrets if len(one) >= _LONG_ENOUGH_TO_FOLLOW})
    known = re.compile("|".join(map(re.escape, follow)), re.IGNORECASE) if follow else None
    prefixes = {one.lower(): public_prefix(one) for one in secrets}

    def without(text: str) -> str:
        masked = mask_text(text)
        return known.sub(hidden, masked) if known is not None else masked

    def hidden(match: re.Match[str]) -> str:
        prefix = prefixes[match[0].lower()]
        return f"{prefix.lower() if match[0].islower() else prefix}{MASK}"

    masked: _T = _masked(reading, without)
    return masked


@cache
def _text_fields(kind: type[Any]) -> tuple[str, ...]:
    return tuple(one.name for one in fields(kind) if one.name not in _NO_PAYLOADS)


def _gather(value: Any, texts: set[str]) -> None:
    # By exact kinds first: asking a protocol of every value took half of the time.
    kind = type(value)
    if kind is str:
        texts.add(value)
    elif kind is tuple or kind is list:
        for one in value:
            _gather(one, texts)
    elif isinstance(value, dict):
        # A tag's name is as much from outside as its value.
        for name, one in value.items():
            texts.add(str(name))
            _gather(one, texts)
    elif kind not in _NO_TEXT and is_dataclass(kind):
        for name in _text_fields(kind):
            _gather(getattr(value, name), texts)


def _masked(value: Any, without: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return without(value)
    if isinstance(value, dict):
        return {_masked(key, without): _masked(one, without) for key, one in value.items()}
    if isinstance(value, tuple):
        return tuple(_masked(one, without) for one in value)
    if isinstance(value, list):
        return [_masked(one, without) for one in value]
    if is_dataclass(value) and not isinstance(value, type):
        names = _text_fields(value.__class__)
        return replace(value, **{name: _masked(getattr(value, name), without) for name in names})
    return value
