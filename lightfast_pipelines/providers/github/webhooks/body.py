"""Decodes a delivery's bytes to its payload: JSON, or a form whose one field holds JSON.

The bytes decide which of the two it is, because only they are signed. A form begins with `payload=`,
which no JSON does. If the header decided, `&payload=...` inside a comment could become an event of its
own. Only GitHub sends forms; JSON itself is decoded by `providers/json_body.py`.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from lightfast_pipelines.providers import json_body
from lightfast_pipelines.providers.malformed_body import MalformedBody

_Read = TypeVar("_Read")

_FIELD = b"payload="
_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_FORM = "application/x-www-form-urlencoded"


def check(body: bytes, headers: Mapping[str, str]) -> None:
    """Raises MalformedBody unless GitHub could have sent the body. The receiver calls this: it builds
    no objects.

    A content type that GitHub does not send is refused; either of the two that it sends will do.
    """
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in ("", "application/json", _FORM):
        raise MalformedBody(
            f"expected a body of type application/json or {_FORM}, got {media_type[:100]!r}"
        )
    _read(json_body.check, body)


def payload(body: bytes) -> dict[str, Any]:
    """The payload; NUL and lone surrogates in its text become U+FFFD. Raises MalformedBody."""
    return _read(json_body.payload, body)


def _read(reader: Callable[[bytes], _Read], body: bytes) -> _Read:
    if not body.startswith(_FIELD):
        return reader(body)
    try:
        return reader(_unquoted(body.removeprefix(_FIELD)))
    except MalformedBody as error:
        raise MalformedBody(f"in the form's field `payload`: {error}") from None


def _unquoted(value: bytes) -> bytes:
    if b"&" in value:
        raise MalformedBody(f"expected no other field, found {value.count(b'&')} more")
    broken = _BROKEN_ESCAPE.search(value)
    if broken is not None:
        raise MalformedBody(f"byte {broken.start()} begins an escape that is none")
    # `urllib.parse` makes an object for each escape: gigabytes for a body of 24 MB. Quoted-printable text
    # differs from this by `=` for `%` alone, and its decoder needs no more than the bytes.
    return binascii.a2b_qp(value.replace(b"+", b" ").replace(b"=", b"=3D").replace(b"%", b"="))
