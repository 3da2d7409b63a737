"""From a delivery's bytes to a JSON object whose text can be stored, the same for every provider.

The one place where text is made storable; what an object says is read by its provider.
"""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from lightfast_pipelines.providers.contract import MalformedBody

# Parsers give up at a depth that depends on the stack they are called from; a fixed limit makes
# the door and a later reading agree. Providers' own payloads are under 20 deep.
NESTING_LIMIT = 256
REPLACEMENT = "\ufffd"

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_DIGITS_OF_A_NUMBER = 400  # more than any float has; an int of thousands of digits is a trap


class _AnyObject(msgspec.Struct):
    """An object of which no field is wanted: checks the syntax at a third of the cost."""


_check = msgspec.json.Decoder(_AnyObject).decode
_decode = msgspec.json.Decoder().decode


def check(content: bytes) -> None:
    """Raises MalformedBody unless `payload` would read the bytes. For the door: does no more."""
    if _brackets(content) <= NESTING_LIMIT:
        try:
            _check(content)
            content.decode()  # the syntax check skips over text without looking at its bytes
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass  # the full reading knows more forms and says what is wrong
        else:
            return
    payload(content)


def payload(content: bytes) -> dict[str, Any]:
    """The object, its text free of NUL and lone surrogates (U+FFFD). Raises MalformedBody."""
    if not content.strip():
        raise MalformedBody("expected a JSON object, the body is empty")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise MalformedBody(f"expected UTF-8, byte {error.start} is not") from None
    try:
        value, is_odd = _parse(content, text)
    except RecursionError:
        raise MalformedBody("the JSON is nested too deeply") from None
    except ValueError as error:
        raise MalformedBody(f"expected a JSON object: {str(error)[:200]}") from None
    if not isinstance(value, dict):
        raise MalformedBody(f"expected a JSON object, found {_kind(value)}")
    if _brackets(content) > NESTING_LIMIT and _is_deeper_than(NESTING_LIMIT, value):
        raise MalformedBody("the JSON is nested too deeply")
    return _storable(value) if is_odd or "\\u0000" in text else value


def _parse(content: bytes, text: str) -> tuple[Any, bool]:
    """The value, and whether its text may hold lone surrogates."""
    try:
        return _decode(content), False
    except msgspec.DecodeError:
        # Valid JSON may hold half of a surrogate pair or a number out of range, which the fast
        # parser refuses; the standard library's takes both and words its errors better.
        return json.loads(text, parse_int=_int, parse_constant=_no_constant), True


def _int(digits: str) -> int | float:
    return int(digits) if len(digits) <= _DIGITS_OF_A_NUMBER else float(digits)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _brackets(content: bytes) -> int:
    return content.count(b"{") + content.count(b"[")


def _is_deeper_than(limit: int, value: Any) -> bool:
    level = [value]
    for _ in range(limit):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return False
    return True


def _children(value: Any) -> list[Any]:
    children = value.values() if isinstance(value, dict) else value
    return [child for child in children if isinstance(child, dict | list)]


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
