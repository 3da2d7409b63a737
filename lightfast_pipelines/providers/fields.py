"""Fields of a payload, read without trusting their types.

Anything absent or of another type is None, an empty object or an empty list; what cannot be done
without raises Missing, which becomes a parked payload, never an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

# Keys and names stand in indexes, whose rows hold some 2,700 bytes.
LONGEST_NAME = 500
LONGEST_URL = 2_000
LONGEST_TITLE = 200
LONGEST_CONTENT = 10_000
LONGEST_LINK_TEXT = 100_000

_NOTHING: Mapping[str, Any] = {}
_MILLISECONDS_FROM = 100_000_000_000  # ten digits are seconds, thirteen are milliseconds
_LARGEST_INT = 2**63
# Beyond these nobody means a time, and a day more or less is no time of Python's any more.
_YEARS = range(1900, 2200)


class Missing(LookupError):
    """A field that the shape cannot do without is absent or of another type; the path names it."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} is missing or not of a known form")


def child(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The object under `name`, else an empty one."""
    found = value.get(name)
    return found if isinstance(found, dict) else _NOTHING


def needed_child(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The object under `name`. Raises Missing."""
    found = value.get(name)
    if not isinstance(found, dict) or not found:
        raise Missing(name)
    return found


def children(value: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The objects in the list under `name`; entries that are none are left out."""
    found = value.get(name)
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def text(value: Mapping[str, Any], name: str) -> str | None:
    """The text under `name`; None where there is none or it is empty."""
    found = value.get(name)
    return found if isinstance(found, str) and found else None


def name_of(value: Mapping[str, Any], field: str) -> str | None:
    """A short text fit for a key or a name: at most 500 characters, else None."""
    found = value.get(field)
    return found if isinstance(found, str) and 0 < len(found) <= LONGEST_NAME else None


def whole(value: Mapping[str, Any], name: str) -> int | None:
    """The whole number under `name`, if it fits 64 bits."""
    found = value.get(name)
    return found if type(found) is int and -_LARGEST_INT <= found < _LARGEST_INT else None


def number_in(headers: Mapping[str, str], name: str) -> float | None:
    """The number in a header, not negative and no NaN; None where there is none."""
    try:
        found = float(headers.get(name, ""))
    except ValueError:
        return None
    return found if 0 <= found < 1e15 else None


def flag(value: Mapping[str, Any], name: str) -> bool | None:
    found = value.get(name)
    return found if isinstance(found, bool) else None


def url(value: Mapping[str, Any], name: str = "html_url") -> str | None:
    """A web address; anything else (`javascript:`, relative, overlong) is None."""
    found = value.get(name)
    if isinstance(found, str) and found.startswith(("https://", "http://")):
        return found if len(found) <= LONGEST_URL else None
    return None


def time(value: Mapping[str, Any], name: str) -> datetime | None:
    """The moment under `name`, in UTC: ISO 8601 with an offset, or seconds or milliseconds.

    ISO text without an offset is UTC. A bare number in text is no time, nor is what lies centuries away.
    """
    moment = _moment(value.get(name))
    return moment if moment is not None and moment.year in _YEARS else None


def _moment(found: object) -> datetime | None:
    if isinstance(found, str):
        return _iso(found)
    if isinstance(found, int | float) and not isinstance(found, bool):
        try:
            seconds = found / 1000 if abs(found) >= _MILLISECONDS_FROM else found
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
    return max((moment for moment in moments if moment is not None), default=None)


def moment_key(moment: datetime) -> str:
    """A moment as a part of an id: UTC, whole seconds, which webhooks and API agree on."""
    return f"{moment.replace(microsecond=0, tzinfo=None).isoformat()}Z"


def titled(tag: str, title: str | None) -> str:
    """`[tag] title` on one line, at most 200 characters."""
    line = " ".join((title or "")[:LONGEST_CONTENT].split())
    return cut(f"[{tag}] {line}", LONGEST_TITLE)


def cut(value: str, length: int) -> str:
    """At most `length` characters, the last three of them dots where something was cut."""
    value = value.strip()
    return value if len(value) <= length else value[: length - 3] + "..."


def content_of(*parts: str | None) -> str:
    """Parts one below the other, at most 10,000 characters."""
    return cut("\n".join(part for part in parts if part), LONGEST_CONTENT)


def first_line(value: str) -> str:
    return value.strip().partition("\n")[0].strip()
