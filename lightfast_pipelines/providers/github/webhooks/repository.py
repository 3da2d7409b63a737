"""The repository that a payload belongs to, and things in it that several events name.

Keys contain the repository's id, which survives renames; its name is for display and aliases.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import TextScope, Thing
from lightfast_pipelines.providers.fields import Missing, child, cut, flag, name_of, url
from lightfast_pipelines.providers.github import keys as github_keys
from lightfast_pipelines.providers.github.host import identity

# What `quote` leaves as it is; it takes ten times as long to find that out.
_PLAIN = re.compile(r"[A-Za-z0-9_.~/-]*")


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository. `id` includes the host unless that is github.com; `full_name` is `owner/name`;
    `url` has no slash at its end."""

    id: str
    full_name: str | None
    url: str | None
    default_branch: str | None
    is_fork: bool = False

    @property
    def thing(self) -> Thing:
        if self.full_name is None:
            return Thing(github_keys.repository(self.id), None, self.url)
        alias = github_keys.repository_by_name(self.full_name, self.host)
        return Thing(github_keys.repository(self.id), self.full_name, self.url, (alias,))

    @property
    def host(self) -> str:
        return keys.host_of(self.id)

    @property
    def scope(self) -> TextScope | None:
        if self.full_name is None:
            return None
        return TextScope(self.id, self.full_name, self.host, self.is_fork)

    def number_aliases(self, number: int) -> tuple[str, ...]:
        """The aliases under which an issue, pull request or discussion is referred to."""
        by_id = keys.github_number_by_id(self.id, number)
        if self.full_name is None:
            return (by_id,)
        return (by_id, keys.github_number_by_name(self.full_name, number, self.host))

    def numbered(self, number: int) -> Thing:
        """A stub of an issue or a pull request of which only the number is known."""
        by_id = keys.github_number_by_id(self.id, number)
        if self.full_name is None:
            return Thing(by_id)
        by_name = keys.github_number_by_name(self.full_name, number, self.host)
        return Thing(by_name, aliases=(by_id,))

    def numbered_thing(self, key: str, number: int, title: str, address: str | None) -> Thing:
        """An issue, pull request or discussion by its key, with the aliases that it claims.

        Without a title it has no name: a comment from the API has none, and must not erase the known one.
        """
        name = cut(f"#{number} {title}", 200) if title else None
        return Thing(key, name, address, self.number_aliases(number))

    def branch(self, name: str) -> Thing:
        return Thing(keys.github_branch(self.id, name), name, self.page("tree", name))

    def tag(self, name: str) -> Thing:
        return Thing(keys.github_tag(self.id, name), name, self.page("tree", name))

    def commit(self, sha: str, name: str | None = None) -> Thing:
        return Thing(keys.github_commit(sha), name, self.page("commit", sha))

    def page(self, kind: str, name: str) -> str | None:
        if not self.url:
            return None
        return f"{self.url}/{kind}/{name if _PLAIN.fullmatch(name) else quote(name)}"

    @property
    def facts(self) -> dict[str, Any]:
        """The part of an observation's metadata that names the repository."""
        return {"repoFullName": self.full_name, "repoId": self.id}


def repository_id(payload: Mapping[str, Any]) -> str | None:
    """The repository's id, with its host unless that is github.com."""
    return identity(child(payload, "repository"))


def repository_of(payload: Mapping[str, Any]) -> Repository:
    """The payload's repository. Raises Missing."""
    repository = child(payload, "repository")
    number = repository_id(payload)
    if number is None:
        raise Missing("repository.id")
    return Repository(
        number,
        full_name(repository),
        url(repository),
        default_branch(repository),
        flag(repository, "fork") is True,
    )


def full_name(repository: Mapping[str, Any]) -> str | None:
    """`owner/name`; old payloads have only the two parts, and an owner with `name` instead of `login`."""
    stated = name_of(repository, "full_name")
    if stated:
        return stated
    owner = child(repository, "owner")
    login, name = name_of(owner, "login") or name_of(owner, "name"), name_of(repository, "name")
    return f"{login}/{name}" if login and name else None


def default_branch(repository: Mapping[str, Any]) -> str | None:
    return name_of(repository, "default_branch") or name_of(repository, "master_branch")


def resource_meta(repository: Mapping[str, Any]) -> dict[str, Any]:
    """Facts about the repository that are kept with the linked resource."""
    meta: dict[str, Any] = {
        "default_branch": default_branch(repository),
        "private": flag(repository, "private"),
        "archived": flag(repository, "archived"),
        "fork": flag(repository, "fork"),
        "html_url": url(repository),
        "owner_login": name_of(child(repository, "owner"), "login"),
    }
    return {name: value for name, value in meta.items() if value is not None}
