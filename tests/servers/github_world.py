"""A GitHub repository in memory: its records, and changes of them.

`github_items.py` encodes the records as GitHub's API does; `github_year.py` makes up a year of one.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.servers.github_records import (
    Comment,
    Commit,
    Deployment,
    Discussion,
    Issue,
    Person,
    PullRequest,
    Release,
    WorkflowRun,
    sha,
)

_MERGE = re.compile(r"Merge pull request #(\d+) from (\S+)")


@dataclass
class World:
    """One repository. Call `touch` after changing what is already in it."""

    id: int = 1
    owner: str = "acme"
    name: str = "shop"
    default_branch: str = "main"
    people: dict[str, Person] = field(default_factory=dict)
    pulls: list[PullRequest] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    review_comments: list[Comment] = field(default_factory=list)
    commits: list[Commit] = field(default_factory=list)
    releases: list[Release] = field(default_factory=list)
    discussions: list[Discussion] = field(default_factory=list)
    deployments: list[Deployment] = field(default_factory=list)
    runs: list[WorkflowRun] = field(default_factory=list)
    former_names: list[str] = field(default_factory=list)
    deleted: set[int] = field(default_factory=set)
    """Numbers of issues that were deleted: GitHub says so of them."""
    installation: int = 7
    version: int = 0
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(900_000_001), repr=False)

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"

    @property
    def stamp(self) -> tuple[int, ...]:
        """Changes whenever something is added or `touch` is called."""
        lists: tuple[Sequence[Any], ...] = (self.pulls, self.issues, self.comments, self.commits)
        more: tuple[Sequence[Any], ...] = (self.review_comments, self.releases, self.discussions)
        rest: tuple[Sequence[Any], ...] = (self.deployments, self.runs, self.former_names)
        return (self.version, *(len(one) for one in (*lists, *more, *rest)))

    def touch(self) -> None:
        self.version += 1

    def person(self, login: str) -> Person:
        """The person with this login; a new login gets an account."""
        if login not in self.people:
            kind = "Bot" if login.endswith("[bot]") else "User"
            number = int(hashlib.sha1(login.encode()).hexdigest()[:7], 16)
            mail = f"{login}@{self.owner}.test"
            self.people[login] = Person(login, number, login.title(), mail, kind)
        return self.people[login]

    def new_id(self) -> int:
        return next(self._ids)

    def things(self) -> list[Issue]:
        """Issues and pull requests, by number."""
        return sorted([*self.pulls, *self.issues], key=lambda one: one.number)

    def thing(self, number: int) -> Issue | None:
        return next((thing for thing in self.things() if thing.number == number), None)

    def number_events(self) -> None:
        """Gives an id to everything that has none; the ids of changes grow in the order of time, as
        GitHub's do."""
        for thing in self.things():
            thing.id = thing.id or self.id * 100_000 + thing.number
        new = [change for thing in self.things() for change in thing.changes if not change.id]
        for change in sorted(new, key=lambda one: one.at):
            change.id = self.new_id()

    def rename(self, name: str) -> None:
        """The old name leads to the repository's number from now on."""
        self.former_names.append(self.full_name)
        self.name = name
        self.touch()

    def delete_issue(self, number: int) -> None:
        self.issues[:] = [one for one in self.issues if one.number != number]
        self.comments[:] = [one for one in self.comments if one.number != number]
        self.deleted.add(number)
        self.touch()

    def delete_comment(self, identity: int) -> None:
        """Deletes a comment on an issue, a line of a pull request or a discussion."""
        for comments in (self.comments, self.review_comments):
            comments[:] = [comment for comment in comments if comment.id != identity]
        for discussion in self.discussions:
            discussion.comments = [
                comment for comment in discussion.comments if comment.id != identity
            ]
        self.touch()

    def delete_discussion(self, number: int) -> None:
        self.discussions[:] = [
            discussion for discussion in self.discussions if discussion.number != number
        ]
        self.touch()

    def delete_release(self, tag: str) -> None:
        self.releases[:] = [release for release in self.releases if release.tag != tag]
        self.touch()

    def delete_deployment(self, identity: int) -> None:
        self.deployments[:] = [
            deployment for deployment in self.deployments if deployment.id != identity
        ]
        self.touch()

    def changed_at(self, discussion: Discussion, at: datetime | None = None) -> datetime:
        """When a discussion changed last, up to `at`."""
        moments = [discussion.created_at, discussion.answered_at, discussion.closed_at]
        moments += [one.changed_at for one in discussion.comments]
        known = [one for one in moments if one is not None and (at is None or one <= at)]
        return max(known, default=discussion.created_at)

    @classmethod
    def synthetic(
        cls,
        seed: int = 1,
        pulls: int = 50,
        commits: int = 100,
        issues: int = 30,
        since: datetime = datetime(2025, 1, 1, tzinfo=UTC),
        until: datetime = datetime(2026, 1, 1, tzinfo=UTC),
        *,
        details: bool = True,
    ) -> World:
        """A made-up history between the two times. With `details` there is more than pull requests and
        issues that open and close."""
        from tests.servers.github_year import fill

        world = cls()
        fill(world, seed, (pulls, commits, issues), since, until, details=details)
        return world

    @classmethod
    def from_commits(cls, records: Iterable[Mapping[str, Any]], **fields: Any) -> World:
        """From the payloads of pushes: their commits, and the pull requests that merge commits name. The
        person who made the commit is the one who merged."""
        world = cls(**fields)
        seen: set[str] = set()
        for record in records:
            payload = record.get("payload", record)
            for told in payload.get("commits") or ():
                if told["id"] in seen:
                    continue
                seen.add(told["id"])
                commit = _commit(told)
                world.commits.append(commit)
                merge = _MERGE.match(commit.message)
                if merge is not None:
                    world.pulls.append(_merged(commit, int(merge[1]), merge[2]))
        world.number_events()
        return world


def touched_of(world: World) -> dict[int, datetime]:
    """When somebody last wrote on each issue and pull request."""
    latest: dict[int, datetime] = {}
    told = [(one.number, one.changed_at) for one in (*world.comments, *world.review_comments)]
    told += [(pull.number, one.submitted_at) for pull in world.pulls for one in pull.reviews]
    for number, at in told:
        latest[number] = max(at, latest.get(number, at))
    return latest


def _commit(told: Mapping[str, Any]) -> Commit:
    author = told["author"]
    at = datetime.fromisoformat(author.get("date") or told["timestamp"]).astimezone(UTC)
    committer = told.get("committer") or {}
    committed = committer.get("date")
    return Commit(
        told["id"],
        told["message"],
        author["name"],
        author.get("email") or "",
        at,
        author.get("username"),
        datetime.fromisoformat(committed).astimezone(UTC) if committed else None,
        committer.get("username") == "web-flow",
        tuple(told.get("added") or ()),
        tuple(told.get("modified") or ()),
        tuple(told.get("removed") or ()),
    )


def _merged(commit: Commit, number: int, head: str) -> PullRequest:
    """Opened an hour before it was merged, because a merge commit does not say when."""
    title = commit.message.partition("\n\n")[2].partition("\n")[0] or f"Merge {head}"
    by = commit.login or re.sub(r"[^a-z0-9]+", "-", commit.name.lower()).strip("-") or "ghost"
    owner, _, branch = head.rpartition("/")
    opened_at = commit.landed_at - timedelta(hours=1)
    pull = PullRequest(number, title, owner or by, opened_at, id=number + 10_000)
    pull.head, pull.head_sha = branch, sha("head", number)
    pull.merge(commit.landed_at, by, commit.sha)
    return pull
