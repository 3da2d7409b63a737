"""Values that Sentry writes in more than one way: ids, counts, tags, frames of a stack.

Anything absent or of another form is None or empty.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lightfast_pipelines.providers.fields import child, children, name_of, text, whole

LONGEST_VERSION = 250  # Sentry's own limit of a release's version
_IDENTITY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,99}")
# The person who met the error, who is none of ours, and addresses that may carry secrets.
_PRIVATE_TAG = re.compile(r"(?:user|ip|email|username|geo|client_ip|url|query|cookie)\b", re.I)
_LONGEST_TAG = 200
_MOST_TAGS = 50


def identity(value: Mapping[str, Any], *names: str) -> str | None:
    """The id under the first of these names that holds one: a number, or text of the kind of one."""
    for name in names:
        number = whole(value, name)
        if number is not None and number >= 0:
            return str(number)
        found = text(value, name)
        if found is not None and _IDENTITY.fullmatch(found):
            return found
    return None


def count(value: Mapping[str, Any], name: str) -> int | None:
    """A number that may be written as text."""
    number = whole(value, name)
    if number is not None:
        return number
    found = text(value, name)
    return int(found) if found and found.isascii() and found.isdigit() and len(found) < 19 else None


def tags(event: Mapping[str, Any]) -> dict[str, str]:
    """Tags by key, as pairs or as objects; those about the end user or an address are left out."""
    found: dict[str, str] = {}
    given = event.get("tags")
    for entry in given if isinstance(given, list) else ():
        if isinstance(entry, dict):
            key, value = entry.get("key"), entry.get("value")
        elif isinstance(entry, list) and len(entry) == 2:
            key, value = entry
        else:
            continue
        if not isinstance(key, str) or not isinstance(value, str) or _PRIVATE_TAG.match(key):
            continue
        if len(key) <= _LONGEST_TAG and len(value) <= _LONGEST_TAG and len(found) < _MOST_TAGS:
            found[key] = value
    return found


def version(event: Mapping[str, Any]) -> str | None:
    """The release of an event: a version, an object that has one, or a tag."""
    found = (
        name_of(event, "release")
        or name_of(child(event, "release"), "version")
        or tags(event).get("release")
        or tags(event).get("sentry:release")
    )
    return found if is_version(found) else None


def is_version(found: str | None) -> bool:
    """Whether Sentry would take it as a version. `latest` is a word of its API, not one of them."""
    return bool(
        found
        and len(found) <= LONGEST_VERSION
        and found not in (".", "..", "latest")
        and not any(character in "\n\r\t\\/" for character in found)
    )


def environment(event: Mapping[str, Any]) -> str | None:
    found = name_of(event, "environment") or tags(event).get("environment")
    return found[:_LONGEST_TAG] if found else None


def exceptions(event: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The chained exceptions, the outermost last, as Sentry orders them."""
    return children(child(event, "exception"), "values")


def last_frame(exception: Mapping[str, Any]) -> Mapping[str, Any]:
    """Where it was raised: the last frame of the application's own code, else the last one."""
    frames = children(child(exception, "stacktrace"), "frames")
    own = [frame for frame in frames if frame.get("in_app") is True]
    return (own or frames or [{}])[-1]


_PREFIXES = re.compile(r"^(?:app:///|webpack-internal:///|webpack:///|rsc:|~/|\./|/)+(?:\./)*")
_PATH = re.compile(r"[\w@.()\[\]+-]+(?:/[\w@.()\[\]+-]+)*\.[A-Za-z]\w{0,9}")


def source_path(filename: str | None) -> str | None:
    """A file of a repository's tree, as a frame names it; None for addresses and `<anonymous>`."""
    if not filename or len(filename) > 300 or "node_modules/" in filename:
        return None
    if filename.startswith("/"):  # a place on some machine or site, not in a tree
        return None
    path = _PREFIXES.sub("", filename).partition("?")[0]
    return path if _PATH.fullmatch(path) and "/" in path else None
