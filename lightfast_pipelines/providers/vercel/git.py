"""What a deployment says of the commit that it was made of: Vercel's `meta`, where all is text.

The words are those of whoever deployed (`vercel deploy --meta` writes them too), so that no
address in them is taken for verified.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import Account, Thing
from lightfast_pipelines.providers.fields import first_line, name_of, text

_FULL_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?", re.IGNORECASE)
_NUMBER = re.compile(r"[1-9]\d{0,8}")
_ID = re.compile(r"[1-9]\d{0,18}")
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}")
_LONGEST_EMAIL = 254


@dataclass(frozen=True, slots=True)
class Commit:
    """The commit by what `meta` says of it; each field None where it says nothing.

    `repository_id` is the repository that the project is linked to, `commit_repository_id` the one
    that has the commit: a fork's, for a pull request from there.
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

    @property
    def page(self) -> str | None:
        if self.organization is None or self.repository is None:
            return None
        return f"https://{self.host}/{self.organization}/{self.repository}"

    @property
    def thing(self) -> Thing | None:
        """The commit itself, only where its whole id is known and it is one of GitHub's."""
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
        return Thing(keys.github_number_by_name(full_name, self.pull_request), name, address)

    @property
    def author(self) -> Account | None:
        """The name and address in the commit; without an address it could be anybody."""
        if self.author_email is None:
            return None
        is_bot = (self.author_name or "").lower().endswith("[bot]")
        return Account(
            "git",
            keys.git_identity(self.author_name, self.author_email),
            email=self.author_email,
            name=self.author_name,
            kind="bot" if is_bot else "unknown",
        )


def commit_of(meta: Mapping[str, Any]) -> Commit:
    """Of a deployment's `meta`; GitLab's and Bitbucket's commits have names alone, no keys."""
    provider = next((p for p in ("github", "gitlab", "bitbucket") if f"{p}CommitSha" in meta), None)
    if provider in ("gitlab", "bitbucket"):
        return _elsewhere(meta, provider)
    email = text(meta, "githubCommitAuthorEmail")
    host = name_of(meta, "githubHost") or ""
    return Commit(
        sha=name_of(meta, "githubCommitSha"),
        ref=name_of(meta, "githubCommitRef"),
        message=text(meta, "githubCommitMessage"),
        author_name=name_of(meta, "githubCommitAuthorName"),
        author_login=name_of(meta, "githubCommitAuthorLogin"),
        author_email=email.strip() if email and len(email) <= _LONGEST_EMAIL else None,
        organization=name_of(meta, "githubCommitOrg") or name_of(meta, "githubOrg"),
        repository=name_of(meta, "githubCommitRepo") or name_of(meta, "githubRepo"),
        repository_id=_match(_ID, meta, "githubRepoId"),
        commit_repository_id=_match(_ID, meta, "githubCommitRepoId")
        or _match(_ID, meta, "githubRepoId"),
        pull_request=_match(_NUMBER, meta, "githubPrId"),
        host=host if _HOST.fullmatch(host) else "github.com",
    )


def _elsewhere(meta: Mapping[str, Any], provider: str) -> Commit:
    return Commit(
        sha=None,
        ref=name_of(meta, f"{provider}CommitRef"),
        message=text(meta, f"{provider}CommitMessage"),
        author_name=name_of(meta, f"{provider}CommitAuthorName"),
        author_login=name_of(meta, f"{provider}CommitAuthorLogin"),
        author_email=None,
        organization=None,
        repository=None,
        repository_id=None,
        commit_repository_id=None,
        pull_request=None,
        host="github.com",
    )


def _match(pattern: re.Pattern[str], meta: Mapping[str, Any], name: str) -> str | None:
    found = meta.get(name)
    found = str(found) if type(found) is int else found
    return found if isinstance(found, str) and pattern.fullmatch(found) else None
