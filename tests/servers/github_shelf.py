"""GitHub's lists and single items of one world: their members, order and filters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from tests.servers.github_items import Items
from tests.servers.github_parts import iso
from tests.servers.github_records import Change, Commit, Issue, PullRequest
from tests.servers.github_state import State, state_of
from tests.servers.github_wire import Reply, Request, by_cursor, fault, numbered
from tests.servers.github_world import World, touched_of

_MOST_RUNS = 1_000
_NUMBERED = frozenset({"issue", "issue_json", "pull"})


class Shelf:
    """One world's items sorted and encoded, valid until it changes."""

    def __init__(self, world: World) -> None:
        world.number_events()
        self.world, self.stamp = world, world.stamp
        self.parts = Items(world, raw=True)
        self.things = {one.number: one for one in world.things()}
        self._touched = touched_of(world)
        self._said = Counter(one.number for one in world.comments)
        self._states: dict[int, State] = {}
        self._items: dict[tuple[str, int | str], Any] = {}
        self._chosen: dict[tuple[str, ...], Sequence[Any]] = {}

    def state(self, thing: Issue) -> State:
        if thing.number not in self._states:
            touched = self._touched.get(thing.number)
            self._states[thing.number] = state_of(thing, touched=touched)
        return self._states[thing.number]

    def said(self, number: int) -> int:
        """The number of comments on it."""
        return self._said[number]

    def answer(self, request: Request, rest: list[str]) -> Reply:
        match rest:
            case []:
                return Reply(200, self.parts.repository())
            case [*_, last] if last.isdigit() or rest[:2] == ["releases", "tags"]:
                return self._single(rest)
            case ["actions", "runs"]:
                return self._runs(request)
            case ["issues"]:
                return self._issues(request)
            case ["commits"] if not self.world.commits and not self.world.pulls:
                return fault(409, "Git Repository is empty.")
            case _:
                return self._list(request, rest)

    def _list(self, request: Request, rest: list[str]) -> Reply:
        found = self._rows(request, rest)
        if found is None:
            return fault(404, "Not Found")
        kind, rows = found
        page, headers = numbered(request, self.world.id, "/".join(rest), rows)
        return Reply(200, [self._item(kind, one) for one in page], headers)

    def _issues(self, request: Request) -> Reply:
        asked = request.params
        rows = self._cached(request, "issues", lambda: self._chosen_issues(asked))
        found = by_cursor(request, self.world.id, "issues", rows)
        if isinstance(found, Reply):
            return found
        page, headers = found
        return Reply(200, [self._item("issue", one) for one in page], headers)

    def _runs(self, request: Request) -> Reply:
        asked = request.params
        runs = sorted(self.world.runs, key=lambda one: (one.created_at, one.id), reverse=True)
        begin, end = _range(asked.get("created", ""))
        status = asked.get("status")
        chosen = [
            one
            for one in runs
            if (begin is None or one.created_at >= begin)
            and (end is None or one.created_at <= end)
            and (status is None or status in (one.status, one.conclusion))
            and asked.get("event", one.event) == one.event
            and asked.get("branch", one.branch) == one.branch
        ]
        filtered = any(name in asked for name in ("created", "status", "event", "branch"))
        most = _MOST_RUNS if filtered else None
        page, headers = numbered(request, self.world.id, "actions/runs", chosen, most)
        items = [self._item("run", one) for one in page]
        return Reply(200, {"total_count": len(chosen), "workflow_runs": items}, headers)

    def _cached(
        self, request: Request, name: str, make: Callable[[], Sequence[Any]]
    ) -> Sequence[Any]:
        """Calls `make` once for the same filters, whatever the page."""
        kept = {n: v for n, v in request.params.items() if n not in ("page", "per_page", "after")}
        key = (name, *(f"{n}={v}" for n, v in sorted(kept.items())))
        if key not in self._chosen:
            self._chosen[key] = make()
        return self._chosen[key]

    def _rows(self, request: Request, rest: list[str]) -> tuple[str, Sequence[Any]] | None:  # noqa: PLR0911
        world, asked = self.world, request.params
        match rest:
            case ["pulls"]:
                return "pull", self._cached(request, "pulls", lambda: self._chosen_pulls(asked))
            case ["pulls", number, "reviews"] if number.isdigit():
                pull = self.things.get(int(number))
                if not isinstance(pull, PullRequest):
                    return None
                return "review", [(one, pull.number) for one in pull.reviews]
            case ["issues", "events"]:
                return "event", self._cached(request, "events", self._events)
            case ["issues", number, "events"] if number.isdigit() and int(number) in self.things:
                thing = self.things[int(number)]
                return "event", [(change, thing) for change in thing.changes]
            case ["issues", "comments"]:
                return "comment", self._cached(
                    request, "comments", lambda: _comments(world.comments, asked)
                )
            case ["pulls", "comments"]:
                return "review_comment", self._cached(
                    request, "review_comments", lambda: _comments(world.review_comments, asked)
                )
            case ["comments"]:
                return "commit_comment", []
            case ["commits"]:
                return "commit", self._cached(request, "commits", lambda: self._commits(asked))
            case ["releases"]:
                newest = sorted(world.releases, key=lambda one: one.created_at, reverse=True)
                return "release", newest
            case ["deployments"]:
                return "deployment", self._cached(
                    request, "deployments", lambda: self._deployments(asked)
                )
            case ["deployments", number, "statuses"] if number.isdigit():
                deployment = next((one for one in world.deployments if one.id == int(number)), None)
                if deployment is None:
                    return None
                return "status", [(one, deployment) for one in reversed(deployment.statuses)]
        return None

    def _chosen_pulls(self, asked: Mapping[str, str]) -> Sequence[PullRequest]:
        wanted, by = asked.get("state", "open"), asked.get("sort", "created")
        base, head = asked.get("base"), asked.get("head")
        chosen = [
            one
            for one in self.world.pulls
            if _fits(self.state(one), wanted)
            and (base is None or one.base == base)
            and (head is None or f"{self.world.owner}:{one.head}" == head)
        ]
        descends = asked.get("direction", "desc" if by == "created" else "asc") == "desc"
        return sorted(chosen, key=lambda one: self._order(one, by), reverse=descends)

    def _chosen_issues(self, asked: Mapping[str, str]) -> Sequence[tuple[str, Issue]]:
        since, wanted = _time(asked.get("since")), asked.get("state", "open")
        by = asked.get("sort", "created")
        chosen = []
        for thing in self.things.values():
            state = self.state(thing)
            if _fits(state, wanted) and (since is None or state.updated_at >= since):
                moment, number = self._order(thing, by)
                chosen.append((f"{iso(moment)}:{number:09}", thing))
        descends = asked.get("direction", "desc") == "desc"
        return sorted(chosen, key=lambda row: row[0], reverse=descends)

    def _order(self, issue: Issue, by: str) -> tuple[datetime, int]:
        moment = self.state(issue).updated_at if by == "updated" else issue.created_at
        return moment, issue.number

    def _events(self) -> Sequence[tuple[Change, Issue]]:
        found = [(change, thing) for thing in self.things.values() for change in thing.changes]
        return sorted(found, key=lambda one: (one[0].at, one[0].id), reverse=True)

    def _commits(self, asked: Mapping[str, str]) -> Sequence[tuple[Commit, tuple[str, ...]]]:
        """Each with its parent, the commit before it on the branch."""
        since, until = _time(asked.get("since")), _time(asked.get("until"))
        ordered = sorted(self.world.commits, key=lambda one: one.landed_at)
        before: Iterable[str | None] = [None, *(one.sha for one in ordered[:-1])]
        return [
            (one, () if parent is None else (parent,))
            for one, parent in zip(ordered, before, strict=True)
            if (since is None or one.landed_at >= since)
            and (until is None or one.landed_at <= until)
        ][::-1]

    def _deployments(self, asked: Mapping[str, str]) -> Sequence[Any]:
        chosen = [
            one
            for one in self.world.deployments
            if all(
                asked.get(name, value) == value
                for name, value in (
                    ("sha", one.sha),
                    ("ref", one.ref),
                    ("environment", one.environment),
                )
            )
        ]
        return sorted(chosen, key=lambda one: (one.created_at, one.id), reverse=True)

    def _single(self, rest: list[str]) -> Reply:  # noqa: PLR0911 - one for each kind
        world = self.world
        if rest[:2] == ["releases", "tags"]:
            return self._found("release", world.releases, lambda one: one.tag, "/".join(rest[2:]))
        number = int(rest[-1])
        match rest[:-1]:
            case ["issues"] if number in world.deleted:
                return fault(410, "This issue was deleted")
            case ["issues"]:
                return self._found("issue", self.things.values(), lambda one: one.number, number)
            case ["pulls"]:
                return self._found("pull", world.pulls, lambda one: one.number, number)
            case ["issues", "comments"]:
                return self._found("comment", world.comments, _id, number)
            case ["pulls", "comments"]:
                return self._found("review_comment", world.review_comments, _id, number)
            case ["releases"]:
                return self._found("release", world.releases, _id, number)
            case ["deployments"]:
                return self._found("deployment", world.deployments, _id, number)
            case ["actions", "runs"]:
                return self._found("run", world.runs, _id, number)
            case ["actions", "runs", run, "attempts"]:
                tries = [
                    attempt
                    for one in world.runs
                    if str(one.id) == run
                    for attempt in one.attempts()
                ]
                one = next((one for one in tries if one.attempt == number), None)
                return fault(404, "Not Found") if one is None else Reply(200, self.parts.run(one))
        return fault(404, "Not Found")

    def _found(
        self, kind: str, things: Iterable[Any], key: Callable[[Any], Any], value: Any
    ) -> Reply:
        found = next((thing for thing in things if key(thing) == value), None)
        return fault(404, "Not Found") if found is None else Reply(200, self._item(kind, found))

    def _item(self, kind: str, one: Any) -> Any:
        key = (kind, _identity(kind, one))
        if key not in self._items:
            self._items[key] = self._made(kind, one)
        return self._items[key]

    def _made(self, kind: str, one: Any) -> Any:  # noqa: PLR0911 - one for each kind
        parts = self.parts
        match kind:
            case "pull":
                return parts.pull(one, self.state(one))
            case "issue":
                return parts.issue(one, self.state(one), self.said(one.number))
            case "issue_json":
                return msgspec.Raw(msgspec.json.encode(self._item("issue", one)))
            case "event":
                return parts.event(one[0], self._item("issue_json", one[1]))
            case "comment":
                of_pull = isinstance(self.things.get(one.number), PullRequest)
                return parts.comment(one, of_pull=of_pull)
            case "review_comment":
                return parts.review_comment(one)
            case "review":
                return parts.review(*one)
            case "commit":
                return parts.commit(*one)
            case "release":
                return parts.release(one)
            case "deployment":
                return parts.deployment(one)
            case "status":
                return parts.deployment_status(*one)
        return parts.run(one)


def _comments(comments: Sequence[Any], asked: Mapping[str, str]) -> Sequence[Any]:
    since, by = _time(asked.get("since")), asked.get("sort", "created")
    chosen = [one for one in comments if since is None or one.changed_at >= since]
    descends = asked.get("direction", "desc" if "sort" in asked else "asc") == "desc"
    return sorted(
        chosen,
        key=lambda one: (one.changed_at if by == "updated" else one.created_at, one.id),
        reverse=descends,
    )


def _fits(state: State, wanted: str) -> bool:
    return wanted == "all" or (state.closed is not None) == (wanted == "closed")


def _id(one: Any) -> int:
    found: int = one.id
    return found


def _identity(kind: str, one: Any) -> int | str:
    first = one[0] if isinstance(one, tuple) else one
    field = "sha" if kind == "commit" else "number" if kind in _NUMBERED else "id"
    found: int | str = getattr(first, field)
    return found


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _range(text: str) -> tuple[datetime | None, datetime | None]:
    """`A..B`, `>=A`, `<=B`, as GitHub's search writes ranges of time; a day means all of it."""
    begin, dots, end = text.partition("..")
    if not dots:
        begin, end = (text[2:], "") if text.startswith(">=") else ("", text.removeprefix("<="))
    return _edge(begin, last=False), _edge(end, last=True)


def _edge(text: str, *, last: bool) -> datetime | None:
    if text in ("", "*"):
        return None
    whole_day = "T" not in text
    tail = ("T23:59:59Z" if last else "T00:00:00Z") if whole_day else ""
    return datetime.fromisoformat(text + tail)
