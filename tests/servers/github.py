"""GitHub's REST API for worlds of `github_world.py`, as an application to be served.

It imitates pages, Link headers, limits, ETags, tokens, renamed and deleted items. GraphQL and the
endpoints of an App are in files of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import unquote

import msgspec

from tests.servers import github_graphql
from tests.servers.github_nodes import Nodes
from tests.servers.github_parts import SITE
from tests.servers.github_shelf import Shelf
from tests.servers.github_wire import (
    Bucket,
    Clock,
    Reply,
    Request,
    fault,
    now_utc,
    request_of,
    send_reply,
    tagged,
)
from tests.servers.github_world import World
from tests.servers.serving import Receive, Scope, Send

TOKEN = "ghp_token_of_the_tests"
ENTERPRISE_HOST = "git.acme.test"
Json = dict[str, Any]


class GitHubServer:
    """`tokens` maps each token to its expiry or None; `limits` maps a pool to each token's limit an hour."""

    def __init__(
        self,
        *worlds: World,
        tokens: Mapping[str, datetime | None] | None = None,
        clock: Clock = now_utc,
        app: Callable[[Request, datetime], Reply | None] | None = None,
        is_enterprise: bool = False,
    ) -> None:
        """`app` answers what `github_log.py` knows, before all else. `is_enterprise`: REST stands at
        /api/v3 and GraphQL at /api/graphql, and nothing anywhere else."""
        self.worlds = list(worlds)
        self.tokens: dict[str, datetime | None] = {TOKEN: None} if tokens is None else dict(tokens)
        self.limits = {"core": 5_000, "graphql": 5_000}
        self.clock = clock
        self.app = app
        self._is_enterprise = is_enterprise
        self._buckets: dict[tuple[str, str], Bucket] = {}
        self._shelves: dict[int, Shelf] = {}
        self._nodes: dict[int, Nodes] = {}

    def bucket(self, token: str = TOKEN, pool: str = "core") -> Bucket:
        """Tests may change it: `server.bucket().used = 5_000`."""
        key = (token, pool)
        if key not in self._buckets:
            self._buckets[key] = Bucket(self.limits[pool])
        return self._buckets[key].at(self.clock())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = await request_of(scope, receive)
        if self._is_enterprise:
            path = "graphql" if request.path == "api/graphql" else "not-there"
            if request.path.startswith("api/v3/") and request.path != "api/v3/graphql":
                path = request.path.removeprefix("api/v3/")
            request = replace(request, path=path, base=f"{request.base}/api/v3")
        reply = self.answer(request)
        if self._is_enterprise and reply.data is not None:
            told = msgspec.json.encode(reply.data).replace(
                SITE.encode(), f"https://{ENTERPRISE_HOST}".encode()
            )
            reply = Reply(reply.status, msgspec.Raw(told), reply.headers)
        await send_reply(send, reply)

    def answer(self, request: Request) -> Reply:
        now = self.clock()
        if self.app is not None:
            reply = self.app(request, now)
            if reply is not None:
                return reply
        token = request.token
        if token is None:
            return fault(401, "Requires authentication")
        ends = self.tokens.get(token, now)
        if ends is not None and ends <= now:
            return fault(401, "Bad credentials")
        pool = "graphql" if request.path == "graphql" else "core"
        bucket = self.bucket(token, pool)
        if request.path == "rate_limit":
            return Reply(200, self._limits(token), bucket.headers("core"))
        if bucket.left == 0:
            refused = _used_up(pool)
            return Reply(refused.status, refused.data, bucket.headers(pool))
        reply = tagged(request, self._routed(request, bucket))
        bucket.used += reply.cost
        return Reply(reply.status, reply.data, {**reply.headers, **bucket.headers(pool)})

    def shelf(self, world: World) -> Shelf:
        """The world's lists, built again when it has changed."""
        found = self._shelves.get(id(world))
        if found is None or found.stamp != world.stamp:
            found = self._shelves[id(world)] = Shelf(world)
        return found

    def nodes(self, world: World) -> Nodes:
        found = self._nodes.get(id(world))
        if found is None or found.stamp != world.stamp:
            found = self._nodes[id(world)] = Nodes(world)
        return found

    def _limits(self, token: str) -> Json:
        told = {}
        for pool in self.limits:
            bucket = self.bucket(token, pool)
            reset = int(bucket.resets_at.timestamp())
            told[pool] = {"limit": bucket.limit, "used": bucket.used, "remaining": bucket.left}
            told[pool]["reset"] = reset
        return {"resources": told, "rate": told["core"]}

    def _routed(self, request: Request, bucket: Bucket) -> Reply:
        if request.path == "graphql":
            return github_graphql.answer(request, [self.nodes(one) for one in self.worlds], bucket)
        parts = request.path.split("/")
        if request.method != "GET":
            return fault(404, "Not Found")
        if parts[0] == "repositories" and len(parts) > 1:
            world = next((one for one in self.worlds if str(one.id) == parts[1]), None)
            return fault(404, "Not Found") if world is None else self._of(world, request, parts[2:])
        if parts[0] == "repos" and len(parts) > 2:
            return self._by_name(request, f"{parts[1]}/{parts[2]}", parts[3:])
        return fault(404, "Not Found")

    def _by_name(self, request: Request, name: str, rest: list[str]) -> Reply:
        for world in self.worlds:
            if world.full_name.lower() == name.lower():
                return self._of(world, request, rest)
            if name.lower() in [former_name.lower() for former_name in world.former_names]:
                where = "/".join([request.base, "repositories", str(world.id), *rest])
                moved = fault(301, "Moved Permanently", url=where)
                moved.headers["location"] = where
                return moved
        return fault(404, "Not Found")

    def _of(self, world: World, request: Request, rest: list[str]) -> Reply:
        return self.shelf(world).answer(request, [unquote(part) for part in rest])


def _used_up(pool: str) -> Reply:
    if pool == "graphql":
        message = "API rate limit already exceeded for user ID 1."
        return Reply(
            200,
            {"errors": [{"type": "RATE_LIMIT", "code": "graphql_rate_limit", "message": message}]},
        )
    return fault(403, "API rate limit exceeded for user ID 1.")
