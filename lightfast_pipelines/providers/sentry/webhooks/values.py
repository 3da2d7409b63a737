"""Values that Sentry writes in several ways: ids, counts, tags, stack frames.

Anything absent or malformed is None or empty.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lightfast_pipelines.providers.fields import child, children, name_of, text, whole

LONGEST_VERSION = 250  # Sentry's own limit of a release's version
_IDENTITY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,99}")
# About the end user who met the error, and addresses that may carry secrets.
_PRIVATE_TAG = re.compile(r"(?:user|ip|email|username|geo|client_ip|url|query|cookie)\b", re.I)
_LONGEST_TAG = 200
_MOST_TAGS = 50


def identity(value: Mapping[str, Any], *names: str) -> str | None:
    """The id in the first of these fields that holds one: a number, or text that looks like an id."""
    for name in names:
        number = whole(value, name)
        if number is not None and number >= 0:
            return str(number)
        words = text(value, name)
        if words is not None and _IDENTITY.fullmatch(words):
            return words
    return None


def count(value: Mapping[str, Any], name: str) -> int | None:
    """A number that may be written as text."""
    number = whole(value, name)
    if number is not None:
        return number
    digits = text(value, name) or ""
    is_number = digits.isascii() and digits.isdigit() and len(digits) < 19
    return int(digits) if is_number else None


def tags(event: Mapping[str, Any]) -> dict[str, str]:
    """Tags by key, from pairs or objects; those about the end user or an address are left out."""
    tag_values: dict[str, str] = {}
    entries = event.get("tags")
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict):
            key, value = entry.get("key"), entry.get("value")
        elif isinstance(entry, list) and len(entry) == 2:
            key, value = entry
        else:
            continue
        if not isinstance(key, str) or not isinstance(value, str) or _PRIVATE_TAG.match(key):
            continue
        if len(key) <= _LONGEST_TAG and len(value) <= _LONGEST_TAG and len(tag_values) < _MOST_TAGS:
            tag_values[key] = value
    return tag_values


def version(event: Mapping[str, Any]) -> str | None:
    """The release of an event: a version, an object that has one, or a tag."""
    release = (
        name_of(event, "release")
        or name_of(child(event, "release"), "version")
        or tags(event).get("release")
        or tags(event).get("sentry:release")
    )
    return release if is_version(release) else None


def is_version(name: str | None) -> bool:
    """Whether Sentry accepts it as a version; it reserves `latest` for its API."""
    return bool(
        name
        and len(name) <= LONGEST_VERSION
        and name not in (".", "..", "latest")
        and not any(character in "\n\r\t\\/" for character in name)
    )


def environment(event: Mapping[str, Any]) -> str | None:
    name = name_of(event, "environment") or tags(event).get("environment")
    return name[:_LONGEST_TAG] if name else None


def exceptions(event: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The chained exceptions; Sentry lists the outermost last."""
    return children(child(event, "exception"), "values")


def last_frame(exception: Mapping[str, Any]) -> Mapping[str, Any]:
    """Where it was raised: the last frame of the application's own code, else the last frame."""
    frames = children(child(exception, "stacktrace"), "frames")
    own_frames = [frame for frame in frames if frame.get("in_app") is True]
    return (own_frames or frames or [{}])[-1]


_PREFIXES = re.compile(r"^(?:app:///|webpack-internal:///|webpack:///|rsc:|~/|\./|/)+(?:\./)*")
_PATH = re.compile(r"[\w@.()\[\]+-]+(?:/[\w@.()\[\]+-]+)*\.[A-Za-z]\w{0,9}")


def source_path(filename: str | None) -> str | None:
    """The path of a file in the repository, from a frame; None for addresses and `<anonymous>`."""
    if not filename or len(filename) > 300 or "node_modules/" in filename:
        return None
    if filename.startswith("/"):  # absolute: on some machine or site, not in a repository
        return None
    path = _PREFIXES.sub("", filename).partition("?")[0]
    return path if _PATH.fullmatch(path) and "/" in path else None
