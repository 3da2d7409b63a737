"""Reads fields of a payload without trusting their types.

A field that is absent or of another type reads as None, an empty object or an empty list. If the field
is needed, Missing is raised and the payload is parked, which is not an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

# Keys and names are indexed, and an index row holds about 2,700 bytes.
LONGEST_NAME = 500
LONGEST_URL = 2_000
LONGEST_TITLE = 200
LONGEST_CONTENT = 10_000
LONGEST_LINK_TEXT = 100_000

_NOTHING: Mapping[str, Any] = {}
_MILLISECONDS_FROM = 100_000_000_000  # ten digits are seconds, thirteen are milliseconds
_LARGEST_INT = 2**63
# A year beyond these is a mistake, and arithmetic on it could leave the range of datetime.
_YEARS = range(1900, 2200)


class Missing(LookupError):
    """A needed field is absent or of another type; the message has its path."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} is missing or not of a known form")


def child(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The object under `name`, or an empty one."""
    field_value = value.get(name)
    return field_value if isinstance(field_value, dict) else _NOTHING


def needed_child(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The object under `name`. Raises Missing."""
    field_value = value.get(name)
    if not isinstance(field_value, dict) or not field_value:
        raise Missing(name)
    return field_value


def children(value: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The objects in the list under `name`; other entries are left out."""
    field_value = value.get(name)
    return (
        [entry for entry in field_value if isinstance(entry, dict)]
        if isinstance(field_value, list)
        else []
    )


def text(value: Mapping[str, Any], name: str) -> str | None:
    """The text under `name`; None if it is absent or empty."""
    field_value = value.get(name)
    return field_value if isinstance(field_value, str) and field_value else None


def name_of(value: Mapping[str, Any], field: str) -> str | None:
    """A text that is short enough for a key or a name, at most 500 characters; otherwise None."""
    field_value = value.get(field)
    return (
        field_value
        if isinstance(field_value, str) and 0 < len(field_value) <= LONGEST_NAME
        else None
    )


def whole(value: Mapping[str, Any], name: str) -> int | None:
    """The whole number under `name`, if it fits into 64 bits."""
    field_value = value.get(name)
    return (
        field_value
        if type(field_value) is int and -_LARGEST_INT <= field_value < _LARGEST_INT
        else None
    )


def number_in(headers: Mapping[str, str], name: str) -> float | None:
    """The number in a header, not negative and not NaN; None if there is none."""
    try:
        number = float(headers.get(name, ""))
    except ValueError:
        return None
    return number if 0 <= number < 1e15 else None


def flag(value: Mapping[str, Any], name: str) -> bool | None:
    field_value = value.get(name)
    return field_value if isinstance(field_value, bool) else None


def url(value: Mapping[str, Any], name: str = "html_url") -> str | None:
    """A web address; anything else (`javascript:`, relative, overlong) is None."""
    field_value = value.get(name)
    if isinstance(field_value, str) and field_value.startswith(("https://", "http://")):
        return field_value if len(field_value) <= LONGEST_URL else None
    return None


def time(value: Mapping[str, Any], name: str) -> datetime | None:
    """The moment under `name`, in UTC: ISO 8601 with an offset, or seconds or milliseconds.

    ISO text without an offset is UTC. Digits alone in a text are not a time, nor is a year centuries away.
    """
    moment = _moment(value.get(name))
    return moment if moment is not None and moment.year in _YEARS else None


def _moment(field_value: object) -> datetime | None:
    if isinstance(field_value, str):
        return _iso(field_value)
    if isinstance(field_value, int | float) and not isinstance(field_value, bool):
        try:
            seconds = field_value / 1000 if abs(field_value) >= _MILLISECONDS_FROM else field_value
            return datetime.fromtimestamp(seconds, UTC)
        except (ValueError, OverflowError, OSError):
            return None
    return None


def _iso(value: str) -> datetime | None:
    if len(value) < len("2006-01-02") or value.isdigit():
        return None
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            return moment.replace(tzinfo=UTC)
        return moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def first_time(value: Mapping[str, Any], *names: str) -> datetime | None:
    """The first of these fields that holds a time."""
    for name in names:
        moment = time(value, name)
        if moment is not None:
            return moment
    return None


def latest(*moments: datetime | None) -> datetime | None:
    """The latest of the moments that are known."""
    newest = None
    for moment in moments:
        if moment is not None and (newest is None or moment > newest):
            newest = moment
    return newest


def moment_key(moment: datetime) -> str:
    """A moment as part of an id: UTC in whole seconds, which are the same in webhooks and API."""
    return f"{moment.replace(microsecond=0, tzinfo=None).isoformat()}Z"


def titled(tag: str, title: str | None) -> str:
    """`[tag] title` on one line, at most 200 characters."""
    line = " ".join((title or "")[:LONGEST_CONTENT].split())
    return cut(f"[{tag}] {line}", LONGEST_TITLE)


def cut(value: str, length: int) -> str:
    """At most `length` characters; a text that was cut ends in three dots."""
    value = value.strip()
    return value if len(value) <= length else value[: length - 3] + "..."


def content_of(*parts: str | None) -> str:
    """The parts on lines of their own, at most 10,000 characters."""
    return cut("\n".join(part for part in parts if part), LONGEST_CONTENT)


def first_line(value: str) -> str:
    return value.strip().partition("\n")[0].strip()
