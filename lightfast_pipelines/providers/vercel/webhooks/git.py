"""What a deployment says of the commit that it was made of: Vercel's `meta`, where all is text.

Vercel's connections to GitHub, GitLab and Bitbucket write `githubCommitSha` and so on, its command
line and CI write `gitCommitSha`, and the API tells a `gitSource` as well. The words are those of
whoever deployed (`vercel deploy --meta` writes them too), so that no address in them is taken for
verified.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lightfast_pipelines.domain import keys, robots
from lightfast_pipelines.domain.events import Account, Thing
from lightfast_pipelines.providers.fields import child, first_line, name_of, text

_FULL_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?", re.IGNORECASE)
_NUMBER = re.compile(r"[1-9]\d{0,8}")
_ID = re.compile(r"[1-9]\d{0,18}")
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}")
_LONGEST_EMAIL = 254
_CONNECTED = ("github", "gitlab", "bitbucket")


@dataclass(frozen=True, slots=True)
class DeployedCommit:
    """The commit by what `meta` says of it; each field None where it says nothing.

    `repository_id` is the repository that the project is linked to, `commit_repository_id` the one
    that has the commit: a fork's, for a pull request from there. Each bears its host where that is not
    github.com. `is_dirty`: files were deployed that
    are not in the commit. `by_push`: Vercel deployed it because it was pushed.
    """

    sha: str | None
    ref: str | None
    message: str | None
    author_name: str | None
    author_login: str | None
    author_email: str | None
    organization: str | None
    repository: str | None
    repository_id: str | None
    commit_repository_id: str | None
    pull_request: str | None
    host: str
    is_dirty: bool = False
    by_push: bool = False

    @property
    def page(self) -> str | None:
        if self.organization is None or self.repository is None:
            return None
        return f"https://{self.host}/{self.organization}/{self.repository}"

    @property
    def thing(self) -> Thing | None:
        """The commit itself, only where its whole id is known: that names it wherever it is kept."""
        if self.sha is None or not _FULL_SHA.fullmatch(self.sha):
            return None
        headline = first_line(self.message or "")[:200] or None
        address = f"{self.page}/commit/{self.sha}" if self.page else None
        return Thing(keys.github_commit(self.sha), headline, address)

    @property
    def branch(self) -> Thing | None:
        if self.ref is None or self.commit_repository_id is None:
            return None
        return Thing(keys.github_branch(self.commit_repository_id, self.ref), self.ref)

    @property
    def pull(self) -> Thing | None:
        """The pull request, by its repository's id, else by the repository's name."""
        if self.pull_request is None:
            return None
        address = f"{self.page}/pull/{self.pull_request}" if self.page else None
        name = f"#{self.pull_request}"
        if self.repository_id is not None:
            key = keys.github_pull_request(self.repository_id, self.pull_request)
            return Thing(key, name, address)
        if self.page is None:
            return None
        full_name = f"{self.organization}/{self.repository}"
        alias = keys.github_number_by_name(full_name, self.pull_request, self.host)
        return Thing(alias, name, address)

    @property
    def author(self) -> Account | None:
        """The name and address in the commit; without an address it could be anybody."""
        if self.author_email is None:
            return None
        return Account(
            "git",
            keys.git_identity(self.author_name, self.author_email),
            email=self.author_email,
            name=self.author_name,
            kind="bot" if self.is_by_bot else "unknown",
        )

    @property
    def is_by_bot(self) -> bool:
        """Whether the commit's author is an app."""
        return robots.is_robot(self.author_name, self.author_email, self.author_login)


def commit_of(deployment: Mapping[str, Any]) -> DeployedCommit:
    """By the deployment's `meta`, then its `gitSource`.

    GitLab's and Bitbucket's branches and pull requests have names alone, no keys.
    """
    meta, source = child(deployment, "meta"), child(deployment, "gitSource")
    provider = next((p for p in _CONNECTED if f"{p}CommitSha" in meta), None)
    if provider is None and name_of(source, "type") in ("gitlab", "bitbucket"):
        provider = name_of(source, "type")
    if provider in ("gitlab", "bitbucket"):
        return _commit(meta, source, provider)
    named = (name_of(meta, "githubHost") or "").lower()
    host = named if _HOST.fullmatch(named) else keys.GITHUB
    of_source = source if name_of(source, "type") == "github" else {}

    def repository(holder: Mapping[str, Any], field: str) -> str | None:
        number = _match(_ID, holder, field)
        return None if number is None else keys.at_host(number, host)

    repository_id = repository(meta, "githubRepoId") or repository(of_source, "repoId")
    return replace(
        _commit(meta, source, "github"),
        author_email=_email(meta, "githubCommitAuthorEmail")
        or _email(meta, "gitCommitAuthorEmail"),
        organization=name_of(meta, "githubCommitOrg") or name_of(meta, "githubOrg"),
        repository=name_of(meta, "githubCommitRepo") or name_of(meta, "githubRepo"),
        repository_id=repository_id,
        commit_repository_id=repository(meta, "githubCommitRepoId") or repository_id,
        pull_request=_match(_NUMBER, meta, "githubPrId") or _match(_NUMBER, of_source, "prId"),
        host=host,
    )


def _commit(meta: Mapping[str, Any], source: Mapping[str, Any], provider: str) -> DeployedCommit:
    """What all of them write alike, the connection's words before those of the command line."""

    def said(field: str) -> str | None:
        return name_of(meta, f"{provider}{field}") or name_of(meta, f"git{field}")

    return DeployedCommit(
        sha=said("CommitSha") or name_of(source, "sha"),
        ref=said("CommitRef") or name_of(source, "ref"),
        message=text(meta, f"{provider}CommitMessage") or text(meta, "gitCommitMessage"),
        author_name=said("CommitAuthorName"),
        author_login=said("CommitAuthorLogin"),
        author_email=None,
        organization=None,
        repository=None,
        repository_id=None,
        commit_repository_id=None,
        pull_request=None,
        host="github.com",
        is_dirty=_is_yes(meta.get("gitDirty")),
        # A redeployment, a hook and the command line deploy for whoever asked, not for who pushed.
        by_push=_is_yes(meta.get(f"{provider}Deployment"))
        and not any(
            meta.get(field) for field in ("action", "originalDeploymentId", "deployHookId")
        ),
    )


def _is_yes(value: object) -> bool:
    return value is True or (isinstance(value, int | str) and str(value).lower() in ("1", "true"))


def _email(meta: Mapping[str, Any], name: str) -> str | None:
    found = text(meta, name)
    return found.strip() if found and len(found) <= _LONGEST_EMAIL else None


def _match(pattern: re.Pattern[str], meta: Mapping[str, Any], name: str) -> str | None:
    found = meta.get(name)
    found = str(found) if type(found) is int else found
    return found if isinstance(found, str) and pattern.fullmatch(found) else None
