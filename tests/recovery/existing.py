"""What exists in a repository, over real HTTP: GraphQL's numbers, the lists, and each entity alone."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from tests.servers.serving import Message, Receive, Scope, Send

_LISTS = {"issues/comments": "comments", "deployments": "deployments"}


@dataclass(slots=True)
class Existing:
    """Numbers of issues, ids of comments and deployments. `moved`: issue -> its new address."""

    issues: set[int] = field(default_factory=set)
    comments: set[int] = field(default_factory=set)
    deployments: set[int] = field(default_factory=set)
    moved: dict[int, str] = field(default_factory=dict)
    has_issues: bool = True
    limit: int = 5_000
    used: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = (await receive()).get("body", b"")
        query = {n: v[0] for n, v in parse_qs(scope["query_string"].decode()).items()}
        status, content, headers = self._answer(scope["path"], query, body)
        self.used += 1
        sent = {
            "content-type": "application/json",
            "x-ratelimit-limit": str(self.limit),
            "x-ratelimit-remaining": str(self.limit - self.used),
            **headers,
        }
        pairs = [(n.encode(), v.encode()) for n, v in sent.items()]
        await send({"type": "http.response.start", "status": status, "headers": pairs})
        end: Message = {"type": "http.response.body", "body": json.dumps(content).encode()}
        await send(end)

    def _answer(
        self, path: str, query: dict[str, str], body: bytes
    ) -> tuple[int, Any, dict[str, str]]:
        if path == "/graphql":
            return 200, self._graphql(json.loads(body)), {}
        if path == "/repositories/1":
            return 200, {"id": 1, "full_name": "acme/shop", "has_issues": self.has_issues}, {}
        name = path.removeprefix("/repositories/1/")
        if name in _LISTS:
            return self._page(sorted(getattr(self, _LISTS[name])), query)
        if name in ("pulls/comments", "comments", "releases"):
            return 200, [], {}
        kind, _, which = name.rpartition("/")
        number = int(which)
        if number in self.moved:
            return 301, {}, {"location": self.moved[number]}
        if number in getattr(self, "issues" if kind == "issues" else _LISTS.get(kind, "comments")):
            return 200, {"id": number, "number": number}, {}
        return 404, {"message": "Not Found"}, {}

    def _page(self, ids: list[int], query: dict[str, str]) -> tuple[int, Any, dict[str, str]]:
        start = (int(query["page"]) - 1) * 100
        headers = {"link": '<http://x/?page=2>; rel="next"'} if start + 100 < len(ids) else {}
        return 200, [{"id": number} for number in ids[start : start + 100]], headers

    def _graphql(self, asked: dict[str, Any]) -> dict[str, Any]:
        kind = "issues" if "issues(" in asked["query"] else "discussions"
        numbers = sorted(self.issues) if kind == "issues" else []
        start = int(asked["variables"]["after"] or 0)
        page = numbers[start : start + 100]
        more = start + 100 < len(numbers)
        content = {
            "nodes": [{"number": number, "databaseId": number} for number in page],
            "pageInfo": {"hasNextPage": more, "endCursor": str(start + 100) if more else None},
        }
        return {"data": {"repository": {kind: content}}}
