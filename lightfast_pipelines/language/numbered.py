"""Texts as the data of a prompt, numbered from 1, and the numbered elements of an answer about them.

What an element may hold is decided beside each prompt (`observations.py`, `summaries.py`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from lightfast_pipelines.providers import json_body
from lightfast_pipelines.providers.malformed_body import MalformedBody


def as_data(value: object) -> str:
    """JSON in which no text can look like the tags around it: `<`, `>` and `&` are escaped."""
    encoded = json.dumps(value, ensure_ascii=False)
    for character in "<>&":
        encoded = encoded.replace(character, f"\\u{ord(character):04x}")
    # A lone surrogate cannot be sent.
    return encoded.encode("utf-8", "replace").decode()


def read_numbered(text: str, name: str, asked: int) -> Sequence[Mapping[str, Any] | None] | None:
    """The element of the list `name` about each of the `asked` items, None where there is none.

    None instead of a list if the text is no answer at all. An element that was not asked for is ignored.
    Two answers to one item are none: one of them may be what another item wanted it to be.
    """
    try:
        elements = json_body.payload(text.encode("utf-8", "replace")).get(name)
    except MalformedBody:
        return None
    if not isinstance(elements, list):
        return None
    by_number: dict[int, Mapping[str, Any]] = {}
    counts: Counter[int] = Counter()
    for element in elements:
        number = element.get("n") if isinstance(element, dict) else None
        if is_number(number):
            counts[number] += 1
            by_number[number] = element
    return [by_number[number] if counts[number] == 1 else None for number in range(1, asked + 1)]


def is_number(value: object) -> TypeGuard[int]:
    """Whether a decoded JSON value is an integer, which `true` is not."""
    return isinstance(value, int) and not isinstance(value, bool)
