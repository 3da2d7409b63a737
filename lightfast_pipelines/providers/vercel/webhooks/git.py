"""The commit that a deployment was built from, by Vercel's `meta`, where every value is text.

Vercel's connections to GitHub, GitLab and Bitbucket write `githubCommitSha` and so on, its command line and
CI write `gitCommitSha`, and the API has a `gitSource` as well. Whoever deploys can write any of this
(`vercel deploy --meta`), so no e-mail address in it counts as verified.
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
    """What `meta` says about the commit.

    `repository_id` is the repository that the project is linked to, `commit_repository_id` the one that has
    the commit, such as a fork. Each includes its host unless that is github.com. `is_dirty`: deployed files
    are not in the commit. `by_push`: Vercel deployed it because it was pushed.
    """

    sha: str | None
    ref: str | None
    message: str | None
    author_name: str | None
    author_login: str | None
    author_email: str | None = None
    organization: str | None = None
    repository: str | None = None
    repository_id: str | None = None
    commit_repository_id: str | None = None
    pull_request: str | None = None
    host: str = keys.GITHUB
    is_dirty: bool = False
    by_push: bool = False

    @property
    def page(self) -> str | None:
        if self.organization is None or self.repository is None:
            return None
        return f"https://{self.host}/{self.organization}/{self.repository}"

    @property
    def thing(self) -> Thing | None:
        """The commit, if its full id is known: that identifies it in every repository."""
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
        """The author's name and address in the commit; a name alone identifies nobody."""
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

    Branches and pull requests of GitLab and Bitbucket have no keys, so only their names are kept.
    """
    meta, source = child(deployment, "meta"), child(deployment, "gitSource")
    provider = next((p for p in _CONNECTED if f"{p}CommitSha" in meta), None)
    if provider is None and name_of(source, "type") in ("gitlab", "bitbucket"):
        provider = name_of(source, "type")
    if provider in ("gitlab", "bitbucket"):
        return _commit(meta, source, provider)
    host_name = (name_of(meta, "githubHost") or "").lower()
    host = host_name if _HOST.fullmatch(host_name) else keys.GITHUB
    github_source = source if name_of(source, "type") == "github" else {}

    def repository(holder: Mapping[str, Any], field: str) -> str | None:
        number = _match(_ID, holder, field)
        return None if number is None else keys.at_host(number, host)

    repository_id = repository(meta, "githubRepoId") or repository(github_source, "repoId")
    return replace(
        _commit(meta, source, "github"),
        author_email=_email(meta, "githubCommitAuthorEmail")
        or _email(meta, "gitCommitAuthorEmail"),
        organization=name_of(meta, "githubCommitOrg") or name_of(meta, "githubOrg"),
        repository=name_of(meta, "githubCommitRepo") or name_of(meta, "githubRepo"),
        repository_id=repository_id,
        commit_repository_id=repository(meta, "githubCommitRepoId") or repository_id,
        pull_request=_match(_NUMBER, meta, "githubPrId") or _match(_NUMBER, github_source, "prId"),
        host=host,
    )


def _commit(meta: Mapping[str, Any], source: Mapping[str, Any], provider: str) -> DeployedCommit:
    """The fields that all providers have; those of the connection precede those of the command line."""

    def field_of(field: str) -> str | None:
        return name_of(meta, f"{provider}{field}") or name_of(meta, f"git{field}")

    return DeployedCommit(
        sha=field_of("CommitSha") or name_of(source, "sha"),
        ref=field_of("CommitRef") or name_of(source, "ref"),
        message=text(meta, f"{provider}CommitMessage") or text(meta, "gitCommitMessage"),
        author_name=field_of("CommitAuthorName"),
        author_login=field_of("CommitAuthorLogin"),
        is_dirty=_is_yes(meta.get("gitDirty")),
        # A redeployment, a hook and the command line deploy for whoever asked for it, not for the pusher.
        by_push=_is_yes(meta.get(f"{provider}Deployment"))
        and not any(
            meta.get(field) for field in ("action", "originalDeploymentId", "deployHookId")
        ),
    )


def _is_yes(value: object) -> bool:
    return value is True or (isinstance(value, int | str) and str(value).lower() in ("1", "true"))


def _email(meta: Mapping[str, Any], name: str) -> str | None:
    email = text(meta, name)
    return email.strip() if email and len(email) <= _LONGEST_EMAIL else None


def _match(pattern: re.Pattern[str], meta: Mapping[str, Any], name: str) -> str | None:
    value = meta.get(name)
    value = str(value) if type(value) is int else value
    return value if isinstance(value, str) and pattern.fullmatch(value) else None
