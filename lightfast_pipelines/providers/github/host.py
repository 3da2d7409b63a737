"""Tells which host sent a payload: github.com, or an Enterprise Server, whose ids also begin at 1.

Ids from a host other than github.com include it (`77@ghe.acme.dev`), so that one number at two hosts
means two things. Names have the host in front (`ghe.acme.dev/plat/billing`), as addresses do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from lightfast_pipelines.domain.keys import GITHUB, at_host
from lightfast_pipelines.providers.fields import child, text, url, whole

# The field that `localized` adds to every object of another host's payload; GitHub has no such field.
_FIELD = "@host"
_DEEPEST = 12
# The page of a repository, which is looked at first, tells the host of nearly every payload.
_PAGES = f"https://{GITHUB}/"
_FIRST = ("repository", "sender", "organization", "installation", "enterprise", "account")


def localized(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """The payload; if another host sent it, each of its objects carries that host."""
    if (url(child(payload, "repository")) or "").startswith(_PAGES):
        return payload
    host = _host_of(payload)
    return payload if host == GITHUB else _stamped(payload, host, 0)


def host_in(value: Mapping[str, Any]) -> str:
    """The host of an object of a localized payload."""
    host = value.get(_FIELD)
    return host if isinstance(host, str) else GITHUB


def identity(value: Mapping[str, Any], field: str = "id") -> str | None:
    """The number of an object of a localized payload, with its host unless that is github.com."""
    number = whole(value, field)
    return None if number is None else at_host(number, host_in(value))


def _host_of(payload: Mapping[str, Any]) -> str:
    return next((host for value in _speaking(payload) if (host := _address(value))), GITHUB)


def _speaking(payload: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The objects with an address on the host itself, the most reliable first."""
    for name in _FIRST:
        part = child(payload, name)
        yield part
        yield child(part, "account" if name == "installation" else "owner")
    for name, value in payload.items():
        if name not in _FIRST and isinstance(value, Mapping):
            yield value


def _address(value: Mapping[str, Any]) -> str | None:
    for field in ("html_url", "url"):
        address = text(value, field)
        if address and "://" in address:
            host = host_of_address(address)
            if host is not None:
                return host
    return None


def host_of_address(address: str) -> str | None:
    """The host of an address of a page or of the API (`ghe.acme.dev`); None for anything else."""
    try:
        host = (urlsplit(address).hostname or "").lower()
    except ValueError:
        return None
    for prefix in ("www.", "api."):
        # An Enterprise Server may itself be called `api.acme.dev`, with its API below /api/v3.
        if host.startswith(prefix) and host.endswith((GITHUB, ".ghe.com")):
            host = host.removeprefix(prefix)
    return host or None


def _stamped(value: Any, host: str, depth: int) -> Any:
    if depth > _DEEPEST:
        return value
    if isinstance(value, Mapping):
        return {
            **{name: _stamped(entry, host, depth + 1) for name, entry in value.items()},
            _FIELD: host,
        }
    if isinstance(value, list):
        return [_stamped(entry, host, depth + 1) for entry in value]
    return value
