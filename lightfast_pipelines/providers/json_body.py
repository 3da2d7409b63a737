"""Parses a delivery's bytes to a JSON object whose text can be stored, for every provider.

This is the only place where text is made storable. `json_bounds.py` limits how much one body may hold.
"""

from __future__ import annotations

import codecs
import json
import re
from typing import Any, TypeVar

import msgspec

from lightfast_pipelines.providers import json_bounds
from lightfast_pipelines.providers.malformed_body import MalformedBody

REPLACEMENT = "\ufffd"

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_DIGITS_OF_A_NUMBER = (
    400  # more digits than any float has; parsing an int of thousands of digits is slow
)
# A body up to this size is parsed by the receiver if the cheap check fails, for a better message.
_SMALL = 64 * 1024
_PIECE = 256 * 1024
_LARGEST_PLAIN = 4096


class _AnyObject(msgspec.Struct):
    """An object without wanted fields: everything in it is skipped, nothing is built."""


_Fields = TypeVar("_Fields", bound=msgspec.Struct)

_any_object = msgspec.json.Decoder(_AnyObject)
_decode = msgspec.json.Decoder().decode


def check(content: bytes) -> None:
    """Raises MalformedBody unless the bytes are a JSON object. The receiver calls this: it builds nothing.

    A JSON object that is too large for `payload` may pass: it is stored, and capture makes it a dead
    letter whose reason names the limit. Only a small body is refused immediately.
    """
    fields(content, _any_object)


def fields(content: bytes, wanted: msgspec.json.Decoder[_Fields]) -> _Fields:
    """Some fields of the object, after the same check as `check`. Other fields are skipped, not built.

    Each wanted field is a `msgspec.Raw`, empty by default. Where a name appears twice the last one
    counts, as in `payload`, however it is escaped.
    """
    is_small = len(content) <= _SMALL
    if is_small and json_bounds.may_be_too_deep(content):
        payload(content)
    _check_utf8(content)
    try:
        try:
            return wanted.decode(content)
        except msgspec.DecodeError:
            # Half of a surrogate pair is valid JSON, but msgspec refuses it; here any character will do.
            harmless = content.replace(b"\\ud", b"\\uf").replace(b"\\uD", b"\\uf")
            return wanted.decode(harmless)
    except RecursionError:
        raise MalformedBody("the JSON is nested too deeply") from None
    except msgspec.DecodeError as error:
        if is_small:
            payload(content)
        raise MalformedBody(f"expected a JSON object: {str(error)[:200]}") from None


def plain(field: msgspec.Raw) -> str | int | float | bool | None:
    """The value of a field of `fields`, as `payload` would have it; None if it is absent, an array, an
    object, or larger than any name, id or time."""
    raw = bytes(field)
    if not raw or len(raw) > _LARGEST_PLAIN or raw.startswith((b"{", b"[")):
        return None
    value = payload(b'{"field":%b}' % raw)["field"]
    return value if isinstance(value, str | int | float) else None


def payload(content: bytes) -> dict[str, Any]:
    """The object; NUL and lone surrogates in its text become U+FFFD. Raises MalformedBody."""
    if not content or content.isspace():
        raise MalformedBody("expected a JSON object, the body is empty")
    json_bounds.check(content)
    _check_utf8(content)
    try:
        value, is_odd = _parse(content)
    except RecursionError:
        raise MalformedBody("the JSON is nested too deeply") from None
    except ValueError as error:
        raise MalformedBody(f"expected a JSON object: {str(error)[:200]}") from None
    if not isinstance(value, dict):
        raise MalformedBody(f"expected a JSON object, found {_kind(value)}")
    return _storable(value) if is_odd or b"\\u0000" in content else value


def _check_utf8(content: bytes) -> None:
    """Checks in pieces: decoded at once, a body with a single emoji takes four times its size."""
    if content.isascii():
        return
    decoder = codecs.getincrementaldecoder("utf-8")()
    view = memoryview(content)
    for start in range(0, len(content), _PIECE):
        try:
            decoder.decode(view[start : start + _PIECE], start + _PIECE >= len(content))
        except UnicodeDecodeError as error:
            # The bytes that the decoder held back come before this piece.
            at = start + error.start - (len(error.object) - len(view[start : start + _PIECE]))
            raise MalformedBody(f"expected UTF-8, byte {at} is not") from None


def _parse(content: bytes) -> tuple[Any, bool]:
    """The value, and whether its text may hold lone surrogates."""
    try:
        return _decode(content), False
    except msgspec.DecodeError:
        # Valid JSON may hold half of a surrogate pair or a number out of range, which the fast
        # parser refuses; the standard library's parser accepts both and has better messages.
        return json.loads(content.decode(), parse_int=_int, parse_constant=_no_constant), True


def _int(digits: str) -> int | float:
    return int(digits) if len(digits) <= _DIGITS_OF_A_NUMBER else float(digits)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _storable(value: Any) -> Any:
    """The value with U+FFFD for each NUL and lone surrogate: Postgres can store neither."""
    if isinstance(value, str):
        return _UNSTORABLE.sub(REPLACEMENT, value)
    if isinstance(value, dict):
        return {_storable(key): _storable(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_storable(child) for child in value]
    return value


def _kind(value: Any) -> str:
    names = {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
