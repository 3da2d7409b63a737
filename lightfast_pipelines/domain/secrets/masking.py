"""Masks secrets in what a provider read out of a payload, before anything is derived from it.

The payload's bytes stay as they came. Everything else that a reading or a route holds is masked: texts,
but also keys, aliases, ids, states, identities and metadata, as even the name of a label may be a token.
The formats of secrets are in `formats.py`.
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

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
# Hexadecimal digits alone are a sha, a UUID or the id of an account, whatever the words around them.
_HEXADECIMAL = re.compile(r"[0-9a-fA-F]+(?:-[0-9a-fA-F]{4,12})*")
# A shorter secret (`password=hunter2`) is masked only if words name it: it may be an ordinary word.
_LONG_ENOUGH_TO_FOLLOW = 16


def mask_text(text: str) -> str:
    """The text with each secret replaced by the public prefix of its kind and MASK."""
    return _mask(text)[0] if may_hold_secret(text) else text


# One text is masked several times: a commit's message is its content and its link text.
@lru_cache(maxsize=256)
def _mask(text: str) -> tuple[str, tuple[str, ...]]:
    """The masked text, and the secrets that were in it."""
    secrets: list[str] = []
    masked = _PRIVATE_KEY.sub(rf"\1{MASK}", text) if "PRIVATE KEY" in text else text
    if "Private-Lines:" in text:
        masked = _PRIVATE_LINES.sub(rf"\1{MASK}\n", masked)
    for pattern, group in formats():
        spans = [
            match.span(group)
            for match in pattern.finditer(masked)
            if match[group] and _is_token(match[group])
        ]
        masked = _replaced(masked, spans, secrets)
    return _replaced(masked, sorted(set(spoken_secrets(masked))), secrets), tuple(secrets)


def _replaced(text: str, spans: Iterable[tuple[int, int]], secrets: list[str]) -> str:
    """The text with these spans masked; adds what was in them to `secrets`."""
    pieces: list[str] = []
    position = 0
    for start, end in spans:
        if start < position:
            continue
        secret = text[start:end]
        secrets.append(secret)
        pieces += (text[position:start], public_prefix(secret), MASK)
        position = end
    return "".join((*pieces, text[position:])) if pieces else text


def _is_token(secret: str) -> bool:
    """False for what only looks like a token: a sha, or a text that begins like a JSON Web Token."""
    if _HEXADECIMAL.fullmatch(secret):
        return False
    return not secret.startswith("eyJ") or _is_header(secret.partition(".")[0])


def _is_header(encoded: str) -> bool:
    """Whether this is the header of a signed or encrypted JSON Web Token."""
    try:
        header = json.loads(urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    except (ValueError, RecursionError):
        return False
    return isinstance(header, dict) and not header.keys().isdisjoint(("alg", "typ", "enc"))


# Fields that hold the code's own words, and ids by which resources are linked: never masked.
_UNMASKED_FIELDS = frozenset(
    {
        *("source", "source_type", "type", "role", "extractor", "method"),
        *("resource_key", "resource_id", "installation_id", "alternatives"),
        *("subject_kind", "subject_id", "change", "kind"),
    }
)
_NO_TEXT = frozenset({type(None), bool, int, float, datetime})

# Texts in which no secret was found. Most texts of a payload (the names and addresses of a repository and of
# its people) are in the next one again: without this, ten megabytes were searched where four are different.
_searched: set[str] = set()
_MOST_SEARCHED = 50_000
_LONGEST_SEARCHED = 200
# Between texts that are searched together: no format crosses that many ends of lines.
_APART = "\n\n\n\n\n"


def mask(reading: _T) -> _T:
    """A reading, a route or any value of `domain.events`, with the secrets in all its texts masked.

    Returns the same object if there is no secret. A secret that is found in one place is masked
    everywhere, even in a key that has it in lower case. The ids by which a resource is linked stay.
    """
    texts: set[str] = set()
    _gather((reading,), texts, set())
    texts -= _searched
    if not may_hold_secret(_APART.join(texts)):
        _remember(texts)
        return reading
    secrets = {secret for text in texts if may_hold_secret(text) for secret in _mask(text)[1]}
    if not secrets:
        return reading
    follow = sorted({s.lower() for s in secrets if len(s) >= _LONG_ENOUGH_TO_FOLLOW})
    repeated = re.compile("|".join(map(re.escape, follow)), re.IGNORECASE) if follow else None
    prefixes = {secret.lower(): public_prefix(secret) for secret in secrets}

    def without(text: str) -> str:
        masked = mask_text(text)
        return repeated.sub(hidden, masked) if repeated is not None else masked

    def hidden(match: re.Match[str]) -> str:
        prefix = prefixes[match[0].lower()]
        return f"{prefix.lower() if match[0].islower() else prefix}{MASK}"

    masked: _T = _masked(reading, without)
    return masked


def _remember(searched: Iterable[str]) -> None:
    if len(_searched) >= _MOST_SEARCHED:
        _searched.clear()
    _searched.update([text for text in searched if len(text) <= _LONGEST_SEARCHED])


@cache
def _text_fields(kind: type[Struct]) -> tuple[str, ...]:
    return tuple(name for name in kind.__struct_fields__ if name not in _UNMASKED_FIELDS)


@cache
def _values_of(kind: type[Any]) -> Callable[[Any], tuple[Any, ...]] | None:
    """Reads at once all fields of such an object that may hold text; None if it has none."""
    names = _text_fields(kind) if issubclass(kind, Struct) else ()
    # With a single name `attrgetter` would return the value itself.
    return attrgetter(*names, *names[:1]) if names else None


def _gather(values: Iterable[Any], texts: set[str], gathered: set[int]) -> None:
    """Adds every text in these values to `texts`; `gathered` are the ids of the objects that it has read,
    because a statement's subject is in all of its edges again."""
    # Exact types first: checking every value against a protocol took half of the time.
    for value in values:
        kind = type(value)
        if kind is str:
            texts.add(value)
        elif kind in _NO_TEXT:
            continue
        elif kind is tuple or kind is list:
            if value:
                _gather(value, texts, gathered)
        elif isinstance(value, dict):
            # The name of a tag comes from outside as much as its value.
            texts.update(map(str, value))
            _gather(value.values(), texts, gathered)
        elif id(value) not in gathered:
            gathered.add(id(value))
            read = _values_of(value.__class__)
            if read is not None:
                _gather(read(value), texts, gathered)


def _masked(value: Any, without: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return without(value)
    if isinstance(value, dict):
        return {_masked(key, without): _masked(item, without) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(_masked(item, without) for item in value)
    if isinstance(value, list):
        return [_masked(item, without) for item in value]
    if isinstance(value, Struct):
        names = _text_fields(value.__class__)
        return replace(value, **{name: _masked(getattr(value, name), without) for name in names})
    return value
