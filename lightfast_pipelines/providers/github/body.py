"""From a delivery's bytes to its payload: JSON, or a form field that carries JSON.

Only GitHub sends forms; what an object of JSON is, `providers/json_body.py` says for all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from lightfast_pipelines.providers import json_body
from lightfast_pipelines.providers.contract import MalformedBody


def check(body: bytes, headers: Mapping[str, str]) -> None:
    """Raises MalformedBody unless `payload` would read the body. For the door: does no more."""
    json_body.check(_content(body, headers))


def payload(body: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
    """The payload, its text free of NUL and lone surrogates (U+FFFD). Raises MalformedBody."""
    return json_body.payload(_content(body, headers))


def _content(body: bytes, headers: Mapping[str, str]) -> bytes:
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == "application/x-www-form-urlencoded":
        return _form_field(body)
    if media_type not in ("", "application/json"):
        raise MalformedBody(
            "expected a body of type application/json or application/x-www-form-urlencoded,"
            f" got {media_type[:100]!r}"
        )
    return body


def _form_field(body: bytes) -> bytes:
    try:
        fields = parse_qsl(body.decode(), errors="strict", max_num_fields=20)
    except ValueError:  # not UTF-8, or more fields than GitHub sends
        raise MalformedBody("expected a form with the field `payload`, in UTF-8") from None
    values = [value for name, value in fields if name == "payload"]
    if len(values) != 1:
        raise MalformedBody(f"expected a form with one field `payload`, found {len(values)}")
    return values[0].encode()
