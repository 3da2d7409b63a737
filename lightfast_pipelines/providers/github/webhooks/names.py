"""The names of repositories and owners that a payload states, each with its time.

A name can be given up and taken by another repository, so `acme/web` in a text means the repository
that had the name when the text was written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import NameClaim
from lightfast_pipelines.providers.fields import child, children, latest, name_of, text, time
from lightfast_pipelines.providers.github import keys as github_keys
from lightfast_pipelines.providers.github.host import host_in, identity
from lightfast_pipelines.providers.github.webhooks.repository import full_name

_TIMES = ("updated_at", "submitted_at", "published_at", "merged_at", "closed_at", "created_at")
_NOT_NEWS = frozenset({"repository", "sender", "organization", "installation", "enterprise"})
_JUST_BEFORE = timedelta(microseconds=1)


def names(payload: Mapping[str, Any]) -> tuple[NameClaim, ...]:
    """Every repository that the payload names with its id, and the old name of one that was renamed."""
    at = _time(payload)
    repository, changes = child(payload, "repository"), child(payload, "changes")
    pull = child(payload, "pull_request")
    claims = [*_claim(repository, at)]
    for named_repository in (
        child(changes, "old_repository"),
        child(changes, "new_repository"),
        child(child(pull, "head"), "repo"),
        child(child(pull, "base"), "repo"),
        child(payload, "forkee"),
        child(repository, "parent"),
        child(repository, "source"),
    ):
        claims += _claim(named_repository, at)
    # A removed repository is named as it was called in the installation; the best time we have is the
    # time of receipt.
    for field in ("repositories", "repositories_added"):
        for listed in children(payload, field):
            claims += _claim(listed, None)
    claims += _before(repository, changes, at)
    claims += _renamed_owner(payload, changes)
    return tuple(dict.fromkeys(claims))


def _claim(
    repository: Mapping[str, Any], at: datetime | None, name: str | None = None
) -> Iterator[NameClaim]:
    number, shown = identity(repository), name or full_name(repository)
    if number is None or shown is None:
        return
    alias = github_keys.repository_by_name(shown, host_in(repository))
    is_weak = at is None or name is not None
    yield NameClaim(alias, keys.github_place(number), shown, at, is_weak)


def _before(
    repository: Mapping[str, Any], changes: Mapping[str, Any], at: datetime | None
) -> Iterator[NameClaim]:
    """The name before a rename or a transfer. If one payload has both, neither gives the name in full."""
    owner, _, name = (full_name(repository) or "").partition("/")
    if at is None or not name:
        return
    old_name = name_of(child(child(changes, "repository"), "name"), "from")
    old_owner = child(child(changes, "owner"), "from")
    login = name_of(child(old_owner, "organization"), "login") or name_of(
        child(old_owner, "user"), "login"
    )
    if old_name or login:
        yield from _claim(repository, at - _JUST_BEFORE, f"{login or owner}/{old_name or name}")


def _renamed_owner(payload: Mapping[str, Any], changes: Mapping[str, Any]) -> Iterator[NameClaim]:
    """The old owner from `organization` or `installation_target`: GitHub sends no events for the
    repositories."""
    old = name_of(child(child(changes, "login"), "from"), "login") or name_of(
        child(changes, "login"), "from"
    )
    owner = child(payload, "organization") or child(payload, "account")
    new = name_of(owner, "login")
    if text(payload, "action") == "renamed" and old and new:
        host = host_in(payload)
        yield NameClaim(
            github_keys.owner_by_name(new, host),
            github_keys.owner_by_name(old, host),
            new,
            time(owner, "updated_at"),
        )


def _time(payload: Mapping[str, Any]) -> datetime | None:
    """The latest time in the payload, which is the nearest to when it was sent."""
    repository = child(payload, "repository")
    newest = latest(time(repository, "updated_at"), time(repository, "pushed_at"))
    for name, news in payload.items():
        if isinstance(news, dict) and name not in _NOT_NEWS:
            for field in _TIMES:
                if field in news:
                    newest = latest(newest, time(news, field))
    return newest
