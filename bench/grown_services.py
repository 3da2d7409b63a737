"""What the other providers would have reported about a recorded history of GitHub's.

The corpus holds pull requests and pushes alone. From the merged ones, the builders of the demo's payloads
make releases and issues on GitHub, deployments on Vercel, issues in Linear, and errors and alerts in
Sentry: about one observation of five. Every id contains the repository's, so that a copy of the history
has ids of its own (`bench/grown_rows.py`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from lightfast_pipelines.demo import github_events as github
from lightfast_pipelines.demo import linear_events as linear
from lightfast_pipelines.demo import sentry_events as sentry
from lightfast_pipelines.demo import vercel_events as vercel
from lightfast_pipelines.demo.cast import Board, Person, Site, StoryRepository, Watch
from lightfast_pipelines.demo.github_events import Commit, NumberedItem
from lightfast_pipelines.demo.linear_events import Ticket
from lightfast_pipelines.demo.sentry_events import AlertRule, StoryIssue
from lightfast_pipelines.demo.stage import StoryEvent
from lightfast_pipelines.demo.vercel_events import Deployment

# Every so many-th merged pull request has one.
DEPLOYED, FAILED, PLANNED, REPORTED, RELEASED, BROKE = 4, 40, 8, 6, 20, 24
_PROJECTS = ("Mobile app", "Search", None)
_ENDPOINTS = ("GET /{0}/items", "POST /{0}/orders", "GET /{0}/carts", "PUT /{0}/profile")
_TEAM = tuple(
    Person(f"member-{n}", 810 + n, f"Member{n} Of-The-Team", f"member{n}@acme.test")
    for n in range(6)
)
_ID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[0-9a-f]{4}-(?=[0-9a-f]{12}\b)")
_TOKEN = re.compile(r"\b(dpl|evt|prj|team)_[0-9a-f]{10}")


@dataclass(frozen=True, slots=True)
class _Repository(StoryRepository):
    owner: str = ""

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"


@dataclass(frozen=True, slots=True)
class _Merge(Commit):
    id: str = ""

    @property
    def sha(self) -> str:
        return self.id


@dataclass(frozen=True, slots=True)
class _Error(StoryIssue):
    @property
    def id(self) -> str:
        return f"{self.watch.day}{self.number:05}"


def service_lines(lines: Iterable[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(provider, line of a file), in the order of the pull requests."""
    for number, pull in enumerate(_merged(lines)):
        repository = str(pull.place.id)
        for position, event in enumerate(_events(number, pull)):
            yield event.provider, _line(event, f"{repository}-{number}-{position}", repository)


def _merged(lines: Iterable[dict[str, Any]]) -> Iterator[NumberedItem]:
    """Each with its merge as its only commit."""
    for line in lines:
        payload = line["payload"]
        pull = payload.get("pull_request") or {}
        if line["event"] != "pull_request" or not pull.get("merged"):
            continue
        owner, _, name = payload["repository"]["full_name"].partition("/")
        place = _Repository(name, payload["repository"]["id"], owner)
        login = pull["user"]["login"]
        author = Person(login, pull["user"]["id"], login, f"{login}@acme.test")
        at = datetime.fromisoformat(pull["merged_at"])
        merge = _Merge(place, author, at, pull["title"], id=pull["merge_commit_sha"])
        yield NumberedItem(
            place,
            pull["number"],
            author,
            datetime.fromisoformat(pull["created_at"]),
            pull["title"],
            "",
            branch=pull["head"]["ref"],
            commits=(merge,),
        )


def _events(number: int, pull: NumberedItem) -> Iterator[StoryEvent]:
    if number % PLANNED == 0:
        yield from _planned(number, pull)
    if number % REPORTED == 1:
        yield from _reported(number, pull)
    if number % DEPLOYED == 0:
        yield from _deployed(number, pull)
    if number % BROKE == 0:
        yield from _broke(number, pull)
    if number % RELEASED == RELEASED - 1:
        yield from _released(number, pull)


def _planned(number: int, pull: NumberedItem) -> Iterator[StoryEvent]:
    merge, repository, member = pull.commits[0], pull.place.id, _TEAM[number % len(_TEAM)]
    ticket = Ticket(
        Board(str(repository), key=f"T{repository}"),
        number + 1,
        member,
        merge.at - timedelta(days=2),
        f"Plan: {pull.title}",
        "",
        pull.branch,
        project=_PROJECTS[number // PLANNED % len(_PROJECTS)],
    )
    yield linear.issue(ticket, "create", member, ticket.created, assignee=member)
    yield linear.linked_pull(ticket, member, merge.at - timedelta(hours=1), pull)
    if number % (3 * PLANNED):
        done = merge.at + timedelta(minutes=1)
        yield linear.moved(ticket, member, done, member, before="Todo", state="Done")


def _reported(number: int, pull: NumberedItem) -> Iterator[StoryEvent]:
    merge, member = pull.commits[0], _TEAM[number % len(_TEAM)]
    bug = NumberedItem(
        pull.place,
        900_000 + number,
        member,
        merge.at - timedelta(days=3),
        f"Broken: {pull.title}",
        "Seen by several.",
        labels=("bug",),
    )
    yield github.issue(bug)
    if number % (4 * REPORTED) != 1:
        yield github.issue(bug, "closed", member, merge.at)


def _deployed(number: int, pull: NumberedItem) -> Iterator[StoryEvent]:
    merge, member = pull.commits[0], _TEAM[number % len(_TEAM)]
    deployment = Deployment(Site(str(pull.place.id)), merge, "main", member)
    begun = merge.at + timedelta(minutes=1)
    yield vercel.deployment(deployment, "created", begun)
    if number % FAILED == 0:
        ended, error = begun + timedelta(minutes=1), "The build exited with 1"
        yield vercel.deployment(deployment, "error", ended, error=error)
        return
    for minutes, transition in ((2, "succeeded"), (3, "promoted")):
        yield vercel.deployment(deployment, transition, begun + timedelta(minutes=minutes))


def _broke(number: int, pull: NumberedItem) -> Iterator[StoryEvent]:
    merge, repository, member = pull.commits[0], pull.place.id, _TEAM[number % len(_TEAM)]
    watch = Watch(str(repository), repository)
    first = merge.at + timedelta(hours=2)
    endpoint = _ENDPOINTS[number // BROKE % len(_ENDPOINTS)].format(repository)
    problem = _Error(
        watch,
        f"SHOP-{number}",
        "GatewayTimeout",
        f"{endpoint} did not answer",
        "api/views.py",
        "answer",
        first,
        merge,
        number=number + 1,
        transaction=endpoint,
        platform="python",
    )
    yield sentry.issue(problem, "created", first, count=1)
    for hours in (0, 1, 25, 49):
        yield sentry.error(problem, first + timedelta(hours=hours))
    rule = AlertRule(str(100 + number), f"Failures of {endpoint}", str(number + 1), endpoint)
    rang, ended = first + timedelta(hours=1), first + timedelta(days=3)
    yield sentry.event_alert(problem, f"New errors of {endpoint} ({number})", rang)
    yield sentry.metric_alert(watch, "critical", rule, "9 events in the last 10 minutes", rang)
    yield sentry.metric_alert(watch, "resolved", rule, "0 events", rang, ended)
    last = first + timedelta(hours=49)
    yield sentry.issue(
        problem, "resolved", last, count=4, at=ended, by=member, resolved_by=(merge, pull)
    )


def _released(number: int, pull: NumberedItem) -> Iterator[StoryEvent]:
    merge, version = pull.commits[0], f"v1.{number // RELEASED}.0"
    at = merge.at + timedelta(minutes=5)
    yield github.push_tag(merge.author, version, merge, at)
    yield github.release(pull.place, merge.author, version, version, "What is new", at)


def _line(event: StoryEvent, delivery: str, repository: str) -> dict[str, Any]:
    text = json.dumps(event.payload, ensure_ascii=False)
    text = _ID.sub(f"{repository}-", text)
    text = _TOKEN.sub(rf"\1_{repository}", text)
    # The number that the demo gives an organisation of Sentry's.
    text = text.replace(f'"{5_000_000 + int(repository)}"', f'"5{repository}"')
    payload = json.loads(text)
    line = {
        "event": event.name,
        "delivery_id": payload["id"] if event.provider == "vercel" else f"services-{delivery}",
        "received_at": event.at.isoformat(),
        "payload": payload,
    }
    if event.provider == "sentry":
        line["headers"] = {"sentry-hook-timestamp": f"{event.at.timestamp():.0f}"}
    return line
