"""Which host a payload comes from: github.com, or a server of one's own that numbers things from 1.

Ids of another host than github.com carry it (`77@ghe.acme.dev`), so that the same number at two hosts
is two things. Names carry it in front (`ghe.acme.dev/plat/billing`), as addresses do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from lightfast_pipelines.domain.keys import GITHUB, at_host
from lightfast_pipelines.providers.fields import child, text, whole

# Under this name every object of a payload of another host carries that host; GitHub has no such field.
_FIELD = "@host"
_DEEPEST = 12
_FIRST = ("repository", "sender", "organization", "installation", "enterprise", "account")


def localized(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """The payload, where it is of another host with that host in each of its objects."""
    host = _host_of(payload)
    return payload if host == GITHUB else _stamped(payload, host, 0)


def host_in(value: Mapping[str, Any]) -> str:
    """The host of an object of a localized payload."""
    found = value.get(_FIELD)
    return found if isinstance(found, str) else GITHUB


def identity(value: Mapping[str, Any], field: str = "id") -> str | None:
    """The number of an object of a localized payload, with its host where that is not github.com."""
    number = whole(value, field)
    return None if number is None else at_host(number, host_in(value))


def _host_of(payload: Mapping[str, Any]) -> str:
    return next((host for value in _speaking(payload) if (host := _address(value))), GITHUB)


def _speaking(payload: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Objects that have an address at the host itself, the surest first."""
    for name in _FIRST:
        found = child(payload, name)
        yield found
        yield child(found, "account" if name == "installation" else "owner")
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
    """`ghe.acme.dev` of an address of a page or of the API; None for what is no address."""
    try:
        host = (urlsplit(address).hostname or "").lower()
    except ValueError:
        return None
    for prefix in ("www.", "api."):
        # A server of one's own may itself be called `api.acme.dev`, with its API below /api/v3.
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
