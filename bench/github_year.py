"""A synthetic year of a GitHub repository, served as fast as can be: for the benchmark of its history.

Items are encoded once. The lists that it has: pulls, issues, issue events, commits, comments,
releases; every other one is empty.
"""

from __future__ import annotations

import hashlib
import random
from bisect import bisect_left
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode

import msgspec

REPOSITORY = {
    "id": 1_296_269,
    "full_name": "acme/shop",
    "default_branch": "main",
    "private": False,
    "html_url": "https://github.com/acme/shop",
    "owner": {"login": "acme"},
}
_WORDS = [
    "cart",
    "checkout",
    "payment",
    "retry",
    "timeout",
    "refactor",
    "docs",
    "upgrade",
    "cache",
    "index",
    "search",
    "login",
    "session",
    "token",
    "queue",
    "worker",
    "stream",
    "parser",
    "router",
    "invoice",
    "currency",
    "coupon",
    "stock",
    "basket",
    "gateway",
    "webhook",
]
_NONE = {"totalCount": 0, "nodes": [], "pageInfo": {"hasNextPage": False, "endCursor": None}}
_EMPTY = {"pullRequests": _NONE, "discussions": _NONE}
_NO_COUNT = {"issueCount": 0, "discussionCount": 0}
Message = MutableMapping[str, Any]


@dataclass(slots=True)
class Items:
    """A list, newest first: (time it is ordered and filtered by, its JSON)."""

    rows: list[tuple[datetime, bytes]] = field(default_factory=list)

    def add(self, moment: datetime, item: dict[str, Any]) -> None:
        self.rows.append((moment, msgspec.json.encode(item)))

    def settle(self) -> None:
        self.rows.sort(key=lambda row: row[0], reverse=True)


def iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


class Year:
    """`pulls` pull requests, most merged, each with three events; `commits` commits; `issues` issues."""

    def __init__(self, *, pulls: int, commits: int, issues: int, until: datetime) -> None:
        self._chance = random.Random(7)
        since = until - timedelta(days=364)
        self.lists: dict[str, Items] = {
            name: Items()
            for name in (
                *("pulls", "issues", "issues/events", "commits", "issues/comments"),
                *("pulls/comments", "releases"),
            )
        }
        span = (until - since).total_seconds() - 10 * 86_400
        self._event = 0
        for number in range(1, pulls + 1):
            self._pull(number, since + timedelta(seconds=int(span * number / pulls)))
        for n in range(issues):
            at = since + timedelta(seconds=int(span * (n + 0.5) / issues))
            self._issue(pulls + 1 + n, at)
        for n in range(commits):
            self._commit(n, since + timedelta(seconds=int(span * n / commits)))
        for found in self.lists.values():
            found.settle()

    def _words(self, count: int) -> str:
        return " ".join(self._chance.choice(_WORDS) for _ in range(count))

    def _user(self) -> dict[str, Any]:
        number = self._chance.randint(1, 40)
        return {"id": number, "login": f"dev{number}", "type": "User"}

    def _told(self, number: int, at: datetime, kind: str) -> dict[str, Any]:
        return {
            "id": 10_000_000 + number,
            "number": number,
            "title": self._words(6).capitalize(),
            "body": self._words(60),
            "html_url": f"https://github.com/acme/shop/{kind}/{number}",
            "user": self._user(),
            "created_at": iso(at),
            "labels": [],
            "assignees": [],
        }

    def _happened(self, issue: dict[str, Any], event: str, at: datetime, **more: Any) -> None:
        self._event += 1
        told = {"id": self._event, "event": event, "actor": self._user(), "created_at": iso(at)}
        self.lists["issues/events"].add(at, {**told, **more, "issue": issue})

    def _pull(self, number: int, at: datetime) -> None:
        ended = at + timedelta(seconds=self._chance.randint(600, 8 * 86_400))
        merged = number % 8 != 0
        issue = {
            **self._told(number, at, "pull"),
            "updated_at": iso(ended),
            "closed_at": iso(ended),
        }
        sha = hashlib.sha1(f"merge {number}".encode(), usedforsecurity=False).hexdigest()
        head = hashlib.sha1(f"head {number}".encode(), usedforsecurity=False).hexdigest()
        merged_at = iso(ended) if merged else None
        place = {"id": REPOSITORY["id"], "full_name": "acme/shop"}
        self.lists["pulls"].add(
            ended,
            {
                **issue,
                "merged_at": merged_at,
                "merge_commit_sha": sha,
                "draft": False,
                "head": {"ref": f"work-{number}", "sha": head, "repo": place},
                "base": {"ref": "main", "sha": head, "repo": place},
            },
        )
        issue |= {"pull_request": {"merged_at": merged_at}, "draft": False}
        self.lists["issues"].add(ended, issue)
        self._happened(issue, "labeled", at + timedelta(seconds=30), label={"name": "bug"})
        if merged:
            self._happened(issue, "merged", ended, commit_id=sha)
        self._happened(issue, "closed", ended)

    def _issue(self, number: int, at: datetime) -> None:
        ended = at + timedelta(seconds=self._chance.randint(600, 8 * 86_400))
        issue = {**self._told(number, at, "issues"), "updated_at": iso(ended)}
        issue |= {"closed_at": iso(ended), "state_reason": "completed"}
        self.lists["issues"].add(ended, issue)
        self._happened(issue, "closed", ended, state_reason="completed")
        comment = {
            "id": 20_000_000 + number,
            "html_url": f"{issue['html_url']}#issuecomment-{number}",
            "issue_url": f"https://api.github.com/repos/acme/shop/issues/{number}",
            "body": self._words(30),
            "user": self._user(),
            "created_at": iso(at + timedelta(seconds=90)),
            "updated_at": iso(at + timedelta(seconds=90)),
        }
        self.lists["issues/comments"].add(at + timedelta(seconds=90), comment)

    def _commit(self, n: int, at: datetime) -> None:
        sha = hashlib.sha1(f"commit {n}".encode(), usedforsecurity=False).hexdigest()
        user = self._user()
        person = {
            "name": f"Dev {user['id']}",
            "email": f"{user['login']}@acme.test",
            "date": iso(at),
        }
        message = f"{self._words(6).capitalize()}\n\n{self._words(20)}"
        item = {
            "sha": sha,
            "html_url": f"https://github.com/acme/shop/commit/{sha}",
            "commit": {"message": message, "author": person, "committer": person},
            "author": user,
            "committer": user,
            "parents": [],
        }
        self.lists["commits"].add(at, item)


class YearServer:
    """The ASGI application; `limit` requests an hour."""

    def __init__(self, year: Year, token: str, limit: int = 100_000) -> None:
        self._year, self._token, self._limit, self._used = year, token, limit, 0

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],  # noqa: ARG002 - no body is read
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        headers = {name.lower(): value for name, value in scope["headers"]}
        query = {n: v[0] for n, v in parse_qs(scope["query_string"].decode()).items()}
        self._used += 1
        told: dict[str, str] = {
            "content-type": "application/json; charset=utf-8",
            "date": datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT"),
            "x-ratelimit-limit": str(self._limit),
            "x-ratelimit-remaining": str(self._limit - self._used),
            "x-ratelimit-reset": str(int(datetime.now(UTC).timestamp()) + 3_000),
            "x-ratelimit-resource": "core",
        }
        status, body = 401, b'{"message":"Bad credentials"}'
        if headers.get(b"authorization") == f"Bearer {self._token}".encode():
            status, body = 200, self._answer(scope, query, told)
        coded = [(name.encode(), value.encode()) for name, value in told.items()]
        await send({"type": "http.response.start", "status": status, "headers": coded})
        await send({"type": "http.response.body", "body": body})

    def _answer(self, scope: Message, query: dict[str, str], told: dict[str, str]) -> bytes:
        path = scope["path"].removeprefix(f"/repositories/{REPOSITORY['id']}").strip("/")
        if not path:
            return msgspec.json.encode(REPOSITORY)
        if path == "graphql":
            return msgspec.json.encode(
                {"data": {"repository": _EMPTY, "search": _NO_COUNT, "rateLimit": None}}
            )
        found = self._year.lists.get(path)
        rows = _between(found.rows, query) if found else []
        size, page = int(query.get("per_page", "30")), int(query.get("page", "1"))
        last = max(1, -(-len(rows) // size))
        host = dict(scope["headers"])[b"host"].decode()

        def link(number: int, relation: str) -> str:
            address = urlencode({**query, "page": str(number)})
            return f'<http://{host}{scope["path"]}?{address}>; rel="{relation}"'

        if page < last:
            told["link"] = f"{link(page + 1, 'next')}, {link(last, 'last')}"
        chosen = rows[(page - 1) * size : page * size]
        if path == "actions/runs":
            return b'{"total_count":0,"workflow_runs":[]}'
        return b"[" + b",".join(body for _, body in chosen) + b"]"


def _between(
    rows: Sequence[tuple[datetime, bytes]], query: dict[str, str]
) -> Sequence[tuple[datetime, bytes]]:
    """Those of the window that GitHub cuts to; the rows are newest first."""
    first, last = 0, len(rows)
    if "until" in query:
        until = -datetime.fromisoformat(query["until"]).timestamp()
        first = bisect_left(rows, until, key=lambda row: -row[0].timestamp())
    if "since" in query:
        since = -datetime.fromisoformat(query["since"]).timestamp() + 0.5
        last = bisect_left(rows, since, key=lambda row: -row[0].timestamp())
    return rows[first:last]
