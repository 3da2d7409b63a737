"""A made-up year of a repository: the same for the same seed, with at most one event a second.

Most pull requests are merged within days, some are closed, some of these reopened.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

from tests.servers.github_records import (
    Change,
    Comment,
    Commit,
    Deployment,
    DeploymentStatus,
    Discussion,
    Issue,
    PullRequest,
    Release,
    Review,
    WorkflowRun,
    sha,
)
from tests.servers.github_world import World

_PEOPLE = ("ada", "grace", "lin", "edsger", "barbara", "donald", "margaret", "renovate[bot]")
_VERBS = ("Add", "Fix", "Remove", "Rename", "Speed up", "Document", "Test", "Guard")
_THINGS = ("the cart", "the checkout", "prices", "the search", "login", "the invoice", "stock")
_LABELS = ("bug", "docs", "feature", "chore")


class _Year:
    """Random choices; each moment is used once."""

    def __init__(self, seed: int, since: datetime, until: datetime) -> None:
        self.chance = random.Random(seed)
        self.since, self.until = since, until
        self.span = int((until - since).total_seconds())
        self.taken: set[int] = set()
        self.ids = 10_000

    def at(self, second: float) -> datetime:
        """This second of the year, or the next that is free."""
        found = int(second)
        while found in self.taken:
            found += 1
        self.taken.add(found)
        return self.since + timedelta(seconds=found)

    def anywhere(self) -> datetime:
        return self.at(self.chance.uniform(0, self.span * 0.98))

    def after(self, moment: datetime, hours: float) -> datetime | None:
        """A moment some time after it, this many hours on average; None after the end of the year."""
        begun = (moment - self.since).total_seconds()
        second = begun + 1 + self.chance.expovariate(1 / (hours * 3600))
        return None if second >= self.span - 10 else self.at(second)

    def who(self) -> str:
        return self.chance.choice(_PEOPLE[:-1])

    def title(self) -> str:
        return f"{self.chance.choice(_VERBS)} {self.chance.choice(_THINGS)}"

    def id(self) -> int:
        self.ids += 1
        return self.ids


def fill(
    world: World,
    seed: int,
    counts: tuple[int, int, int],
    since: datetime,
    until: datetime,
    *,
    details: bool,
) -> None:
    """`counts` are the numbers of pull requests, commits and issues."""
    year = _Year(seed, since, until)
    pulls, commits, issues = counts
    opened = sorted(
        [(year.anywhere(), True) for _ in range(pulls)]
        + [(year.anywhere(), False) for _ in range(issues)]
    )
    for number, (at, is_pull) in enumerate(opened, 1):
        if is_pull:
            _pull(world, year, number, at, details=details)
        else:
            _issue(world, year, number, at, details=details)
    for _ in range(max(0, commits - len(world.commits))):
        _commit(world, year, year.anywhere(), f"{year.title()}\n\nAs was asked for.")
    world.commits.sort(key=lambda one: one.landed_at)
    if details:
        _more(world, year, len(opened))
    world.number_events()


def _commit(
    world: World, year: _Year, at: datetime, message: str, by: str | None = None, **more: Any
) -> Commit:
    who = world.person(by or year.who())
    changed = (f"src/{year.chance.choice(_THINGS).split()[-1]}.py",)
    # GitHub knows the account of most addresses, not of all.
    login = who.login if year.chance.random() < 0.8 else None
    identity = sha(world.id, at, message)
    commit = Commit(identity, message, who.name, who.email, at, login, modified=changed, **more)
    world.commits.append(commit)
    return commit


def _pull(world: World, year: _Year, number: int, at: datetime, *, details: bool) -> None:
    chance = year.chance
    author = _PEOPLE[-1] if chance.random() < 0.1 else year.who()
    pull = PullRequest(number, year.title(), author, at, f"For #{max(1, number - 1)}.")
    pull.id = year.id()
    pull.head, pull.head_sha = f"feature/{number}", sha(world.id, "head", number)
    pull.base, pull.base_sha = world.default_branch, sha(world.id, "base", number)
    world.pulls.append(pull)
    latest: datetime | None = at
    if details:
        latest = _before_the_end(world, year, pull)
    fate = chance.random()
    if fate > 0.93 or latest is None:
        return
    end = year.after(latest, 30)
    if end is None:
        return
    if fate > 0.82:
        pull.changes.append(Change("closed", end, year.who()))
        again = year.after(end, 20) if chance.random() < 0.3 else None
        if again is None:
            return
        pull.changes.append(Change("reopened", again, year.who()))
        merged = year.after(again, 20)
        if merged is None:
            return
        end = merged
    message = f"Merge pull request #{number} from {world.owner}/{pull.head}\n\n{pull.title}"
    merger = year.who()
    commit = _commit(world, year, end, message, merger, by_github=True)
    pull.merge(end, merger, commit.sha)
    if details and chance.random() < 0.1:
        late = year.after(end, 40)
        if late is not None:
            pull.changes.append(Change("labeled", late, year.who(), chance.choice(_LABELS)))


def _before_the_end(world: World, year: _Year, pull: PullRequest) -> datetime | None:
    """Changes it while it is open; returns the last of these moments, None at the end of the year."""
    chance = year.chance
    pull.draft = chance.random() < 0.2
    now: datetime | None = pull.created_at
    steps: list[str] = ["labeled"] if chance.random() < 0.5 else []
    steps += ["assigned"] if chance.random() < 0.3 else []
    steps += ["renamed"] if chance.random() < 0.05 else []
    steps += ["ready_for_review"] if pull.draft else []
    steps += ["review_requested"] if chance.random() < 0.4 else []
    for step in steps:
        if now is None or (now := year.after(now, 1)) is None:
            return None
        value = {"labeled": chance.choice(_LABELS), "renamed": f"{pull.title} at last"}
        value |= {"assigned": year.who(), "review_requested": _other(year, pull.author)}
        was = pull.title if step == "renamed" else None
        pull.changes.append(Change(step, now, pull.author, value.get(step), was=was))
    for _ in range(chance.choice((0, 1, 1, 2))):
        if now is None or (now := year.after(now, 4)) is None:
            return None
        state = chance.choice(("APPROVED", "APPROVED", "CHANGES_REQUESTED", "COMMENTED"))
        reviewer = _other(year, pull.author)
        review = Review(year.id(), reviewer, state, now, "Looks good.", pull.head_sha)
        pull.reviews.append(review)
        if state != "APPROVED":
            said = Comment(year.id(), pull.number, reviewer, now, "Rename this.", review=review.id)
            world.review_comments.append(said)
    if chance.random() < 0.3:
        if now is None or (now := year.after(now, 4)) is None:
            return None
        world.comments.append(Comment(year.id(), pull.number, year.who(), now))
    return now


def _other(year: _Year, author: str) -> str:
    return next(one for one in iter(year.who, "") if one != author)


def _issue(world: World, year: _Year, number: int, at: datetime, *, details: bool) -> None:
    chance = year.chance
    issue = Issue(number, f"{year.title()} please", year.who(), at, "It is missing.", id=year.id())
    world.issues.append(issue)
    now: datetime | None = at
    if details:
        for step in ("labeled", "assigned", "milestoned", "locked"):
            if chance.random() > {"labeled": 0.6, "assigned": 0.4}.get(step, 0.05):
                continue
            if now is None or (now := year.after(now, 3)) is None:
                return
            value = {"labeled": chance.choice(_LABELS), "assigned": year.who(), "milestoned": "3"}
            issue.changes.append(Change(step, now, year.who(), value.get(step, "resolved")))
        for _ in range(chance.choice((0, 0, 1, 2))):
            if now is None or (now := year.after(now, 10)) is None:
                return
            world.comments.append(Comment(year.id(), number, year.who(), now))
    while chance.random() < 0.7 and now is not None and (now := year.after(now, 72)) is not None:
        reason = chance.choice(("completed", "completed", "not_planned"))
        issue.changes.append(Change("closed", now, year.who(), reason))
        if chance.random() > 0.15 or (now := year.after(now, 72)) is None:
            return
        issue.changes.append(Change("reopened", now, year.who()))


def _more(world: World, year: _Year, numbers: int) -> None:
    """Releases, discussions, deployments and runs, in proportion to the commits."""
    chance = year.chance
    commits = world.commits
    every = max(1, len(commits) // 24)
    for number, commit in enumerate(commits[::every], 1):
        at = year.after(commit.landed_at, 1)
        if at is not None:
            release = Release(year.id(), f"v1.{number}.0", year.who(), commit.landed_at, at)
            release.name, release.prerelease = f"1.{number}", chance.random() < 0.2
            world.releases.append(release)
    for commit in commits[:: max(1, len(commits) // 200)]:
        _deployment(world, year, commit)
    for number, commit in enumerate(commits[:: max(1, len(commits) // 400)], 1):
        at, failed = year.after(commit.landed_at, 0.1), chance.random() < 0.2
        end = at and year.after(at, 0.2)
        if at is not None and end is not None:
            run = WorkflowRun(year.id(), number, commit.sha, year.who(), at, end)
            run.title = commit.message.partition("\n")[0]
            run.conclusion = "failure" if failed else "success"
            world.runs.append(run)
    for number in range(numbers + 1, numbers + 1 + min(60, numbers // 5)):
        _discussion(world, year, number)


def _deployment(world: World, year: _Year, commit: Commit) -> None:
    at = year.after(commit.landed_at, 0.1)
    if at is None:
        return
    deployment = Deployment(year.id(), commit.sha, year.who(), at)
    deployment.environment = year.chance.choice(("production", "preview"))
    world.deployments.append(deployment)
    now: datetime | None = at
    for state in ("in_progress", year.chance.choice(("success", "success", "failure"))):
        if now is None or (now := year.after(now, 0.1)) is None:
            return
        status = DeploymentStatus(year.id(), state, now, deployment.creator)
        deployment.statuses.append(status)


def _discussion(world: World, year: _Year, number: int) -> None:
    at = year.anywhere()
    discussion = Discussion(year.id(), number, f"{year.title()}?", year.who(), at)
    world.discussions.append(discussion)
    now: datetime | None = at
    for _ in range(year.chance.choice((0, 1, 2, 3))):
        if now is None or (now := year.after(now, 10)) is None:
            return
        parent = discussion.comments[0].id if discussion.comments else None
        said = Comment(year.id(), number, year.who(), now, "This one.", parent=parent)
        discussion.comments.append(said)
    if discussion.comments and year.chance.random() < 0.6 and now is not None:
        chosen = year.after(now, 5)
        if chosen is not None:
            discussion.answer, discussion.answered_at = discussion.comments[0].id, chosen
            discussion.answered_by = discussion.author
            now = chosen
    end = year.after(now, 30) if now is not None and year.chance.random() < 0.2 else None
    if end is not None:
        discussion.closed_at, discussion.closed_by = end, year.who()
        discussion.reason = "RESOLVED"
