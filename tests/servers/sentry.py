"""Sentry's REST API over a `World`.

True to the wire: cursors in the Link header, X-Hits that ends at a thousand, limits per second, and tokens
that expire and are renewed once for each refresh token.
"""

from __future__ import annotations

import time as clock
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.servers.sentry_bodies import event_body, incident_body, issue_body, webhooks
from tests.servers.sentry_world import (
    TOKEN,
    UUID,
    Activity,
    Incident,
    Issue,
    Json,
    World,
    iso,
)

__all__ = ["TOKEN", "UUID", "Activity", "Incident", "Issue", "World", "application", "webhooks"]

_MOST_HITS = 1_000


def application(world: World) -> Starlette:
    base = f"/api/0/organizations/{world.organization}"

    async def organizations(request: Request) -> JSONResponse:
        listed = [{"id": str(n), "slug": slug} for n, slug in enumerate(world.organizations)]
        return _refused(world, request) or _answer(world, listed)

    async def issues(request: Request) -> JSONResponse:
        return _refused(world, request) or _issues(world, request)

    async def single(request: Request) -> JSONResponse:
        issue, refused = _find(world, request), _refused(world, request)
        if refused is not None or issue is None:
            return refused or _missing(world)
        return _answer(world, issue_body(world, issue, single=True))

    async def events(request: Request) -> JSONResponse:
        issue, refused = _find(world, request), _refused(world, request)
        if refused is not None or issue is None:
            return refused or _missing(world)
        numbers = _event_numbers(issue, *_times(request))
        newest_first = [event_body(world, issue, n, single=False) for n in reversed(numbers)]
        begin = int(request.query_params.get("cursor", "0:0:0").split(":")[1])
        size = int(request.query_params.get("per_page", 100))
        return _page(world, request, newest_first, begin, size, f"0:{begin + size}:0")

    async def oldest(request: Request) -> JSONResponse:
        issue, refused = _find(world, request), _refused(world, request)
        if refused is not None:
            return refused
        numbers = _event_numbers(issue, *_times(request)) if issue else []
        if issue is None or not numbers:
            return _answer(world, {"detail": "No events found for this issue"}, 404)
        return _answer(world, event_body(world, issue, numbers[0], single=True))

    async def incidents(request: Request) -> JSONResponse:
        return _refused(world, request) or _incidents(world, request)

    async def authorizations(request: Request) -> JSONResponse:
        return await _renew(world, request)

    path = base + "/issues/{issue}/"
    return Starlette(
        routes=[
            Route("/api/0/organizations/", organizations),
            Route(f"{base}/issues/", issues),
            Route(path, single),
            Route(path + "events/", events),
            Route(path + "events/oldest/", oldest),
            Route(f"{base}/incidents/", incidents),
            Route(
                "/api/0/sentry-app-installations/{uuid}/authorizations/",
                authorizations,
                methods=["POST"],
            ),
        ]
    )


def _issues(world: World, request: Request) -> JSONResponse:
    query = request.query_params
    since, until = _times(request)
    limit = int(query.get("limit", 25))
    if limit > 100:
        return _answer(world, {"detail": "Invalid value for limit"}, 400)
    collapsed = "stats" in query.getlist("collapse")
    mine = (
        query.get("project") in (str(world.project), "-1") or query.get("projectSlug") == world.slug
    )
    fitting = sorted(
        (
            issue
            for issue in (world.issues if mine else ())
            if any(since <= at < until for at in issue.seen)
            and _fits(issue, query.get("query", ""))
        ),
        key=lambda issue: (-_ms(issue.seen[0]), issue.number),
    )
    value, skipped = (int(part) for part in query.get("cursor", f"{2**52}:0:0").split(":")[:2])
    rest = [issue for issue in fitting if _ms(issue.seen[0]) <= value][skipped:]
    page = rest[:limit]
    cursor = ""
    if page:
        last = _ms(page[-1].seen[0])
        before = skipped if last == value else 0
        cursor = f"{last}:{before + sum(_ms(issue.seen[0]) == last for issue in page)}:0"
    listed = [issue_body(world, issue, single=False) for issue in page]
    if collapsed:
        for item in listed:
            for name in ("count", "userCount", "firstSeen", "lastSeen"):
                del item[name]
    hits = {"X-Hits": str(min(len(fitting), _MOST_HITS)), "X-Max-Hits": str(_MOST_HITS)}
    return _answer(world, listed, 200, hits | _link(request, cursor, len(rest) > limit))


def _fits(issue: Issue, query: str) -> bool:
    """`firstSeen:<...` and `firstSeen:>=...`: the walks use no other terms."""
    first = issue.seen[0].astimezone(UTC).replace(tzinfo=None)
    for term in query.split():
        bound = datetime.fromisoformat(term.removeprefix("firstSeen:").lstrip("<>="))
        if ("<" in term and first >= bound) or (">=" in term and first < bound):
            return False
    return True


def _incidents(world: World, request: Request) -> JSONResponse:
    since, until = _times(request)
    listed = []
    for incident in sorted(world.incidents, key=lambda each: each.begun, reverse=True):
        closed = next((at for level, at in incident.levels if level == "resolved"), None)
        if incident.begun <= until and (closed is None or closed >= since):
            listed.append(incident_body(world, incident))
    cursor = request.query_params.get("cursor")
    size, number = (
        (int(part) for part in cursor.split(":")[:2])
        if cursor
        else (int(request.query_params.get("per_page", 25)), 0)
    )
    return _page(world, request, listed, size * number, size, f"{size}:{number + 1}:0")


def _page(
    world: World, request: Request, items: Sequence[Json], begin: int, size: int, cursor: str
) -> JSONResponse:
    page = list(items[begin : begin + size])
    return _answer(world, page, 200, _link(request, cursor, len(items) > begin + size))


def _link(request: Request, cursor: str, more: bool) -> dict[str, str]:
    url = str(request.url).partition("&cursor=")[0]
    results = "true" if more else "false"
    return {
        "Link": (
            f'<{url}&cursor=0:0:1>; rel="previous"; results="false"; cursor="0:0:1", '
            f'<{url}&cursor={cursor}>; rel="next"; results="{results}"; cursor="{cursor}"'
        )
    }


def _missing(world: World) -> JSONResponse:
    return _answer(world, {"detail": "The requested resource does not exist"}, 404)


def _find(world: World, request: Request) -> Issue | None:
    asked = request.path_params["issue"]
    number = int(asked) if asked.isdigit() else 0
    number = world.merged.get(number, number)
    return next((issue for issue in world.issues if issue.number == number), None)


def _event_numbers(issue: Issue, since: datetime, until: datetime) -> list[int]:
    return [number for number, at in enumerate(issue.seen) if since <= at < until]


def _times(request: Request) -> tuple[datetime, datetime]:
    query = request.query_params
    begin = query.get("start", "1970-01-01T00:00:00")
    end = query.get("end", "2100-01-01T00:00:00")
    since, until = (datetime.fromisoformat(time).replace(tzinfo=UTC) for time in (begin, end))
    return since, until


def _refused(world: World, request: Request) -> JSONResponse | None:
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    if token not in world.tokens:
        return JSONResponse({"detail": "Invalid token"}, 401)
    ends = world.tokens[token]
    if ends is not None and ends <= datetime.now(UTC):
        return JSONResponse({"detail": "Token expired"}, 401)
    now = clock.time()
    world.asked = [at for at in world.asked if at > now - 1]
    if len(world.asked) >= world.limit:
        detail = f"You are attempting to use this endpoint too frequently. Limit is {world.limit} requests in 1 seconds"
        return JSONResponse({"detail": detail}, 429, headers=_limits(world))
    world.asked.append(now)
    return None


def _limits(world: World) -> dict[str, str]:
    return {
        "X-Sentry-Rate-Limit-Limit": str(world.limit),
        "X-Sentry-Rate-Limit-Remaining": str(world.limit - len(world.asked)),
        "X-Sentry-Rate-Limit-Reset": str(int(clock.time()) + 1),
        "X-Sentry-Rate-Limit-ConcurrentLimit": "25",
        "X-Sentry-Rate-Limit-ConcurrentRemaining": "24",
    }


async def _renew(world: World, request: Request) -> JSONResponse:
    """A new pair of tokens; a refresh token can be used once."""
    body = await request.json()
    if (body.get("client_id"), body.get("client_secret")) != world.client:
        return JSONResponse({"error": "invalid_client"}, 401)
    if (
        body.get("grant_type") != "refresh_token"
        or body.get("refresh_token") != world.refresh_token
    ):
        return JSONResponse({"error": "invalid_grant"}, 401)
    world.renewals += 1
    ends = datetime.now(UTC) + timedelta(hours=8)
    token, world.refresh_token = f"token-{world.renewals}", f"refresh-{world.renewals}"
    world.tokens = {token: ends}
    answer = {
        "id": str(world.renewals),
        "token": token,
        "refreshToken": world.refresh_token,
        "dateCreated": iso(datetime.now(UTC)),
        "expiresAt": iso(ends),
        "state": None,
        "application": None,
    }
    return JSONResponse(answer, 201)


def _answer(
    world: World, body: Any, status: int = 200, headers: dict[str, str] | None = None
) -> JSONResponse:
    return JSONResponse(body, status, headers={**_limits(world), **(headers or {})})


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)
