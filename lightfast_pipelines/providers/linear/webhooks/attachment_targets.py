"""What an attachment's address points to: a pull request, an issue, a commit, a Sentry issue."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import Reference, Thing
from lightfast_pipelines.domain.sentry_names import find_addresses
from lightfast_pipelines.domain.vercel_names import find_deployments
from lightfast_pipelines.providers.fields import child, cut, name_of, text, url

_GITHUB = re.compile(
    r"https?://(?P<host>[\w.-]+)"
    r"/(?P<repository>[A-Za-z0-9][A-Za-z0-9_-]{0,38}/[A-Za-z0-9_.-]{1,100})/"
    r"(?:(?P<kind>pull|issues)/(?P<number>[1-9]\d{0,8})|commit/(?P<sha>[0-9a-f]{40}))(?![\w.])",
)
_GITHUB_HOSTS = frozenset({"github.com", "www.github.com"})
_SHORT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,100}-[A-Za-z0-9]{1,12}")


@dataclass(frozen=True, slots=True)
class Target:
    """A thing that an issue is linked to, the relation between them, and its reference."""

    relation: str
    thing: Thing
    reference: Reference


def target_of(attachment: Mapping[str, Any]) -> Target | None:
    """What an attachment points to; None for an ordinary web page."""
    address = url(attachment, "url") or ""
    details = {**child(attachment, "source"), **child(attachment, "metadata")}
    kind = (
        text(attachment, "sourceType") or text(child(attachment, "source"), "type") or ""
    ).lower()
    title = cut(text(attachment, "title") or "", 200) or None
    return (
        _sentry(address, kind, details, title)
        or _github(address, kind, title)
        or _vercel(address, title)
    )


def _github(address: str, kind: str, title: str | None) -> Target | None:
    match = _GITHUB.match(address)
    host = match["host"].lower() if match else ""
    if match is None or not (host in _GITHUB_HOSTS or kind.startswith("github")):
        return None
    if match["sha"]:
        commit = Thing(keys.github_commit(match["sha"]), title, address)
        return Target("references", commit, Reference("commit", match["sha"], address, "linked"))
    host = keys.GITHUB if host in _GITHUB_HOSTS else host
    key = keys.github_number_by_name(match["repository"], match["number"], host)
    thing = Thing(key, title or f"{match['repository']}#{match['number']}", address)
    shown = f"#{match['number']}"
    if match["kind"] == "pull":
        return Target("tracked_in", thing, Reference("pr", shown, address, "tracked_in"))
    return Target("references", thing, Reference("issue", shown, address, "linked"))


def _vercel(address: str, title: str | None) -> Target | None:
    thing = next((thing for start, _, thing in find_deployments(address) if start == 0), None)
    if thing is None:
        return None
    return Target("references", thing, Reference("deployment", title or address, address, "linked"))


def _sentry(
    address: str, kind: str, details: Mapping[str, Any], title: str | None
) -> Target | None:
    named = next((thing for start, _, thing in find_addresses(address) if start == 0), None)
    if named is None and not kind.startswith("sentry"):
        return None
    short_id = name_of(details, "shortId") or ""
    is_short_id = _SHORT_ID.fullmatch(short_id) is not None
    if named is None and is_short_id:
        named = Thing(keys.sentry_issue_by_short_id(short_id))
    if named is None:
        return None
    thing = replace(named, name=title, url=address or None)
    shown = short_id if is_short_id else re.split(r"[/:]", named.key)[-1]
    return Target("references", thing, Reference("issue", shown, address or None, "linked"))
