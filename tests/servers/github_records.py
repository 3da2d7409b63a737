"""What a GitHub repository holds: accounts, issues, pull requests, comments, commits, runs ..."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime


def sha(*seed: object) -> str:
    """A commit id that is the same for the same seed."""
    return hashlib.sha1("/".join(map(str, seed)).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Person:
    """An account. `kind`: User, Bot or Organization."""

    login: str
    id: int
    name: str
    email: str
    kind: str = "User"


@dataclass(slots=True)
class Change:
    """A change of an issue or pull request, named as GitHub's issue events are.

    `value` is the label, login, milestone's number, reason of a lock or closing, or new title.
    """

    event: str
    at: datetime
    by: str | None
    value: str | None = None
    id: int = 0
    was: str | None = None


@dataclass(slots=True)
class Issue:
    """`title` is the first one; renames are changes."""

    number: int
    title: str
    author: str
    created_at: datetime
    body: str | None = None
    changes: list[Change] = field(default_factory=list)
    id: int = 0


@dataclass(slots=True)
class Review:
    """`state`: APPROVED, CHANGES_REQUESTED, COMMENTED, DISMISSED."""

    id: int
    author: str
    state: str
    submitted_at: datetime
    body: str | None = ""
    commit_id: str = ""


@dataclass(slots=True)
class Comment:
    """On the issue, pull request or discussion `number`; one of a line belongs to a review.

    `parent`: the comment of a discussion, or of a line, that it answers.
    """

    id: int
    number: int
    author: str
    created_at: datetime
    body: str = "Well said."
    updated_at: datetime | None = None
    review: int | None = None
    path: str = "src/cart.py"
    line: int = 12
    parent: int | None = None

    @property
    def changed_at(self) -> datetime:
        return self.updated_at or self.created_at


@dataclass(slots=True)
class PullRequest(Issue):
    """`draft`: whether it was opened as one. `merge_commit` is set where it is merged."""

    head: str = "feature"
    head_sha: str = ""
    base: str = "main"
    base_sha: str = ""
    draft: bool = False
    merge_commit: str | None = None
    reviews: list[Review] = field(default_factory=list)

    def merge(self, at: datetime, by: str, commit: str | None = None) -> None:
        """GitHub has two events for a merge: merged and closed."""
        self.merge_commit = commit or sha("merge", self.number)
        self.changes += [Change("merged", at, by, self.merge_commit), Change("closed", at, by)]


@dataclass(slots=True)
class Commit:
    """A commit on the default branch. `login` is the account that GitHub links to the address, if any."""

    sha: str
    message: str
    name: str
    email: str
    at: datetime
    login: str | None = None
    committed_at: datetime | None = None
    by_github: bool = False
    """Whether one of GitHub's buttons committed it."""
    added: Sequence[str] = ()
    modified: Sequence[str] = ()
    removed: Sequence[str] = ()

    @property
    def landed_at(self) -> datetime:
        return self.committed_at or self.at


@dataclass(slots=True)
class Release:
    id: int
    tag: str
    author: str
    created_at: datetime
    published_at: datetime | None
    name: str | None = None
    body: str | None = "What is new."
    prerelease: bool = False


@dataclass(slots=True)
class Discussion:
    """`answer`: the id of the chosen comment, by whom and when. `reason`: RESOLVED, OUTDATED, DUPLICATE."""

    id: int
    number: int
    title: str
    author: str
    created_at: datetime
    body: str = "Which one is it?"
    answer: int | None = None
    answered_at: datetime | None = None
    answered_by: str | None = None
    closed_at: datetime | None = None
    closed_by: str | None = None
    reason: str | None = None
    comments: list[Comment] = field(default_factory=list)


@dataclass(slots=True)
class DeploymentStatus:
    id: int
    state: str
    created_at: datetime
    creator: str


@dataclass(slots=True)
class Deployment:
    id: int
    sha: str
    creator: str
    created_at: datetime
    ref: str = "main"
    environment: str = "production"
    statuses: list[DeploymentStatus] = field(default_factory=list)


@dataclass(slots=True)
class WorkflowRun:
    id: int
    number: int
    sha: str
    actor: str
    created_at: datetime
    updated_at: datetime
    title: str = "Add a cart"
    branch: str = "main"
    conclusion: str | None = "success"
    status: str = "completed"
    event: str = "push"
    attempt: int = 1
    earlier: list[tuple[str, datetime]] = field(default_factory=list)
    """Of its attempts before this one: how each ended, and when."""

    def start_again(self, conclusion: str, ended_at: datetime) -> None:
        """Somebody pressed "Re-run": it keeps its number and its creation time."""
        self.earlier.append((self.conclusion or "", self.updated_at))
        self.conclusion, self.updated_at, self.attempt = conclusion, ended_at, self.attempt + 1

    def attempts(self) -> list[WorkflowRun]:
        """Each attempt as it was when it had ended."""
        past = [
            replace(self, attempt=n, conclusion=how, updated_at=at, earlier=[])
            for n, (how, at) in enumerate(self.earlier, 1)
        ]
        return [*past, self]
