"""Sentry's REST API over a small world of issues, and the webhooks that would have told of it.

True to the wire: cursors in the Link header, X-Hits that ends at a thousand, limits of a second, tokens
that end and are renewed once for each refresh token.
"""

from __future__ import annotations

import time as clock
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

Json = dict[str, Any]
TOKEN = "sentry-token-of-the-tests"
UUID = "5c6f0d3e-0d0f-4a37-9f2b-1a2b3c4d5e6f"
SENTRY: Json = {"type": "application", "id": "sentry", "name": "Sentry"}
_MOST_HITS = 1_000
_STATUSES = {"open": 1, "resolved": 2, "warning": 10, "critical": 20}


@dataclass(slots=True)
class Activity:
    """`by`: a user's number, None for Sentry itself. `type` and `data` as the API has them."""

    number: int
    type: str
    at: datetime
    by: int | None = 7
    data: Json = field(default_factory=dict)


@dataclass(slots=True)
class Issue:
    """`seen`: when its events happened, each of which is an event of its own. `called`: its title and
    all else that it does not share with the others."""

    number: int
    seen: list[datetime]
    activities: list[Activity] = field(default_factory=list)
    release: str | None = "shop@1.4.2"
    environment: str = "production"
    category: str = "error"
    called: Json = field(default_factory=dict)

    def last_seen(self, at: datetime | None = None) -> datetime:
        return max(one for one in self.seen if at is None or one <= at)


@dataclass(slots=True)
class Incident:
    """`levels`: (level, when) in their order; `resolved` is the last of them where it is over."""

    number: int
    begun: datetime
    levels: list[tuple[str, datetime]] = field(default_factory=list)
    rule: int = 70


@dataclass(slots=True)
class World:
    """One project of one organisation. `tokens`: each with its end, or None.

    `merged`: numbers of issues that are gone, each with that of the issue that answers for it.
    """

    issues: list[Issue] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)
    organization: str = "acme"
    project: int = 42
    slug: str = "shop"
    tokens: dict[str, datetime | None] = field(default_factory=lambda: {TOKEN: None})
    refresh_token: str = "refresh-0"
    client: tuple[str, str] = ("client", "secret")
    renewals: int = 0
    organizations: list[str] = field(default_factory=lambda: ["acme"])
    limit: int = 40
    asked: list[float] = field(default_factory=list)
    merged: dict[int, int] = field(default_factory=dict)

    def merge(self, old: int, survivor: int, at: datetime) -> None:
        """As Sentry does: the old one is gone, the survivor's activity names it."""
        self.issues = [one for one in self.issues if one.number != old]
        kept = next(one for one in self.issues if one.number == survivor)
        number = 10**6 + old
        kept.activities.append(Activity(number, "merge", at, data={"issues": [{"id": old}]}))
        self.merged[old] = survivor


def application(world: World) -> Starlette:
    base = f"/api/0/organizations/{world.organization}"

    async def organizations(request: Request) -> JSONResponse:
        listed = [{"id": str(n), "slug": slug} for n, slug in enumerate(world.organizations)]
        return _refused(world, request) or _answer(world, listed)

    async def issues(request: Request) -> JSONResponse:
        return _refused(world, request) or _issues(world, request)

    async def issue(request: Request) -> JSONResponse:
        found = _find(world, request)
        refused = _refused(world, request)
        if refused is not None or found is None:
            return refused or _answer(
                world, {"detail": "The requested resource does not exist"}, 404
            )
        return _answer(world, _issue(world, found, single=True))

    async def events(request: Request) -> JSONResponse:
        found = _find(world, request)
        refused = _refused(world, request)
        if refused is not None or found is None:
            return refused or _answer(
                world, {"detail": "The requested resource does not exist"}, 404
            )
        since, until = _times(request)
        told = [_event(world, found, n, single=False) for n, at in _of(found, since, until)][::-1]
        begin = int(request.query_params.get("cursor", "0:0:0").split(":")[1])
        size = int(request.query_params.get("per_page", 100))
        return _page(world, request, told, begin, size, f"0:{begin + size}:0")

    async def oldest(request: Request) -> JSONResponse:
        found = _find(world, request)
        refused = _refused(world, request)
        if refused is not None:
            return refused
        first = next(iter(_of(found, *_times(request))), None) if found else None
        if found is None or first is None:
            return _answer(world, {"detail": "No events found for this issue"}, 404)
        return _answer(world, _event(world, found, first[0], single=True))

    async def incidents(request: Request) -> JSONResponse:
        return _refused(world, request) or _incidents(world, request)

    async def authorizations(request: Request) -> JSONResponse:
        return await _renew(world, request)

    one = base + "/issues/{issue}/"
    return Starlette(
        routes=[
            Route("/api/0/organizations/", organizations),
            Route(f"{base}/issues/", issues),
            Route(one, issue),
            Route(one + "events/", events),
            Route(one + "events/oldest/", oldest),
            Route(f"{base}/incidents/", incidents),
            Route(
                "/api/0/sentry-app-installations/{uuid}/authorizations/",
                authorizations,
                methods=["POST"],
            ),
        ]
    )


def webhooks(world: World, delay: float = 0.0) -> Iterator[tuple[str, Json, dict[str, str]]]:
    """(resource, body, headers) of each delivery, sent so many seconds after what it tells."""
    late = timedelta(seconds=delay)
    for issue in world.issues:
        yield _sent(
            "issue",
            "created",
            {"issue": _told(world, issue, issue.seen[0])},
            SENTRY,
            issue.seen[0] + late,
        )
        for number, at in enumerate(issue.seen if issue.category == "error" else []):
            yield _sent(
                "error", "created", {"error": _error(world, issue, number)}, SENTRY, at + late
            )
        for activity in issue.activities:
            for action, data in _actions(world, issue, activity):
                actor = _actor(activity.by)
                resource = "comment" if activity.type == "note" else "issue"
                yield _sent(resource, action, data, actor, activity.at + late)
    for incident in world.incidents:
        for level, at in incident.levels:
            alert = _snaked(_incident(world, incident, at)) | {"activities": None}
            page = f"https://sentry.io/organizations/{world.organization}/alerts/{incident.number}/"
            data = {"metric_alert": alert, "web_url": page, "description_text": "40 events"}
            yield _sent("metric_alert", level, data, SENTRY, at + late)


def _sent(
    resource: str, action: str, data: Json, actor: Json, at: datetime
) -> tuple[str, Json, dict[str, str]]:
    headers = {
        "sentry-hook-resource": resource,
        "sentry-hook-timestamp": str(int(at.timestamp())),
    }
    body = {"action": action, "installation": {"uuid": UUID}, "data": data, "actor": actor}
    return resource, body, headers


def _actions(world: World, issue: Issue, activity: Activity) -> Iterator[tuple[str, Json]]:
    """The actions and bodies that one activity causes; none for what Sentry does not send."""
    data, at = activity.data, activity.at
    if activity.type == "note":
        yield (
            "created",
            {
                "comment": data["text"],
                "project_slug": world.slug,
                "comment_id": activity.number,
                "issue_id": issue.number,
                "timestamp": _iso(at),
            },
        )
        return
    now: Json = {}
    if activity.type == "assigned":
        now["assignedTo"] = {
            "type": data["assigneeType"],
            "id": data["assignee"],
            "name": data["assigneeName"],
        }
        yield "assigned", {"issue": _told(world, issue, at) | now}
    elif activity.type == "set_ignored":
        for action in ("ignored", "archived"):
            yield action, {"issue": _told(world, issue, at) | {"status": "ignored"}}
    elif activity.type in ("set_unresolved", "set_regression"):
        substatus = "regressed" if activity.type == "set_regression" else "ongoing"
        yield "unresolved", {"issue": _told(world, issue, at) | {"substatus": substatus}}
    elif activity.type.startswith("set_resolved"):
        if activity.type == "set_resolved_in_release":
            now["statusDetails"] = {"inRelease": data["version"]}
        elif activity.type == "set_resolved_in_commit":
            now["statusDetails"] = {"inCommit": data["commit"]}
        yield (
            "resolved",
            {"issue": _told(world, issue, at) | {"status": "resolved", "substatus": None} | now},
        )


def _told(world: World, issue: Issue, at: datetime) -> Json:
    """An issue as a webhook told it then."""
    found = _issue(world, issue, single=False)
    api = f"https://sentry.io/api/0/organizations/{world.organization}/issues/{issue.number}/"
    then = {
        "url": api,
        "web_url": found["permalink"],
        "lastSeen": _iso(issue.last_seen(at)),
        "count": str(len([one for one in issue.seen if one <= at])),
        "status": "unresolved",
        "statusDetails": {},
        "substatus": "new",
    }
    return found | then


def _issue(world: World, issue: Issue, *, single: bool) -> Json:
    number = issue.number
    found: Json = {
        "id": str(number),
        "shortId": f"SHOP-{number}",
        "title": "TypeError: price is undefined",
        "culprit": "cart/total",
        "permalink": f"https://{world.organization}.sentry.io/issues/{number}/",
        "logger": None,
        "level": "error",
        "status": "resolved",
        "statusDetails": {},
        "substatus": None,
        "platform": "javascript",
        "priority": "high",
        "project": {"id": str(world.project), "name": "Shop", "slug": world.slug},
        "type": "error",
        "metadata": {"type": "TypeError", "value": "price is undefined"},
        "issueType": "error",
        "issueCategory": issue.category,
        "assignedTo": None,
        "numComments": 0,
        "count": str(len(issue.seen)),
        "userCount": 3,
        "firstSeen": _iso(issue.seen[0]),
        "lastSeen": _iso(issue.last_seen()),
    }
    found |= issue.called
    if single:
        first: Json = {"type": "first_seen", "id": "0", "user": None, "data": {}}
        newest = sorted(issue.activities, key=lambda one: one.at, reverse=True)
        told = [_activity(one) for one in newest]
        found["activity"] = [*told, {**first, "dateCreated": found["firstSeen"]}][:100]
        found["firstRelease"] = {"version": issue.release} if issue.release else None
    return found


def _activity(one: Activity) -> Json:
    user = {"id": str(one.by), "name": f"User {one.by}", "email": f"u{one.by}@acme.test"}
    return {
        "id": str(one.number),
        "type": one.type,
        "data": one.data,
        "user": user if one.by is not None else None,
        "dateCreated": _iso(one.at),
    }


def _actor(by: int | None) -> Json:
    return SENTRY if by is None else {"type": "user", "id": by, "name": f"User {by}"}


def _event_id(issue: Issue, number: int) -> str:
    return f"{issue.number:016x}{number:016x}"


def _event(world: World, issue: Issue, number: int, *, single: bool) -> Json:
    """Of the list, which is dated to the second, or by itself."""
    at = issue.seen[number]
    frame = {"filename": "src/cart/total.ts", "function": "total", "lineNo": 9, "inApp": True}
    values = [
        {
            "type": "TypeError",
            "value": "price is undefined",
            "stacktrace": {"frames": [frame]},
        }
    ]
    tags = {"environment": issue.environment, "level": "error", "user": "ip:203.0.113.9"}
    if issue.release:
        tags["release"] = issue.release
    return {
        "id": _event_id(issue, number),
        "eventID": _event_id(issue, number),
        "groupID": str(issue.number),
        "projectID": str(world.project),
        "title": "TypeError: price is undefined",
        "message": "",
        "culprit": "cart/total",
        "location": "src/cart/total.ts",
        "platform": "javascript",
        "type": "error",
        "metadata": {"type": "TypeError", "value": "price is undefined"},
        "tags": [{"key": key, "value": value} for key, value in tags.items()],
        "user": {"email": "customer@shop.test", "ip_address": "203.0.113.9"},
        "dateCreated": _iso(at if single else at.replace(microsecond=0)),
        "entries": [{"type": "exception", "data": {"values": values}}],
    }


def _error(world: World, issue: Issue, number: int) -> Json:
    """The same event as the webhook tells it."""
    at, identity = issue.seen[number], _event_id(issue, number)
    page = f"https://sentry.io/organizations/{world.organization}/issues/{issue.number}/"
    frame = {"filename": "src/cart/total.ts", "function": "total", "lineno": 9, "in_app": True}
    return {
        "event_id": identity,
        "project": world.project,
        "issue_id": str(issue.number),
        "issue_url": f"https://sentry.io/api/0/organizations/{world.organization}/issues/{issue.number}/",
        "web_url": f"{page}events/{identity}/",
        "title": "TypeError: price is undefined",
        "message": "",
        "culprit": "cart/total",
        "location": "src/cart/total.ts",
        "level": "error",
        "platform": "javascript",
        "release": issue.release,
        "environment": issue.environment,
        "datetime": _iso(at),
        "tags": [["environment", issue.environment], ["level", "error"]],
        "user": {"email": "customer@shop.test"},
        "metadata": {"type": "TypeError", "value": "price is undefined"},
        "exception": {
            "values": [
                {
                    "type": "TypeError",
                    "value": "price is undefined",
                    "stacktrace": {"frames": [frame]},
                }
            ]
        },
    }


def _incident(world: World, one: Incident, at: datetime | None = None) -> Json:
    """As the API has it now, or as it was at `at`. Sentry tells the minute at which it was closed."""
    levels = [(level, when) for level, when in one.levels if at is None or when <= at]
    closed = next((when for level, when in levels if level == "resolved"), None)
    number, rule = str(one.number), str(one.rule)
    changed = [
        {
            "id": f"{one.number}{position}",
            "type": 2,
            "value": str(_STATUSES[level]),
            "previousValue": None,
            "user": None,
            "dateCreated": _iso(when),
        }
        for position, (level, when) in enumerate(levels)
    ]
    return {
        "id": number,
        "identifier": number,
        "organizationId": "5",
        "projects": [world.slug],
        "alertRule": {
            "id": rule,
            "name": "Failed payments",
            "organizationId": "5",
            "aggregate": "count()",
            "query": "level:error",
            "timeWindow": 10,
            "thresholdType": 0,
            "resolveThreshold": None,
            "projects": [world.slug],
        },
        "activities": [{"id": "0", "type": 1, "dateCreated": _iso(one.begun)}, *changed],
        "status": _STATUSES[levels[-1][0]] if levels else 1,
        "title": "Failed payments",
        "type": 2,
        "dateStarted": _iso(one.begun),
        "dateDetected": _iso(one.begun),
        "dateCreated": _iso(one.begun),
        "dateClosed": _iso(closed.replace(second=0, microsecond=0)) if closed else None,
    }


def _snaked(value: Any) -> Any:
    """Names as the webhook writes them: alert_rule, date_closed."""
    if isinstance(value, list):
        return [_snaked(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        "".join(f"_{c.lower()}" if c.isupper() else c for c in name): _snaked(one)
        for name, one in value.items()
    }


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
            one
            for one in (world.issues if mine else ())
            if any(since <= at < until for at in one.seen) and _fits(one, query.get("query", ""))
        ),
        key=lambda one: (-_ms(one.seen[0]), one.number),
    )
    value, skipped = (int(part) for part in query.get("cursor", f"{2**52}:0:0").split(":")[:2])
    rest = [one for one in fitting if _ms(one.seen[0]) <= value][skipped:]
    page = rest[:limit]
    cursor = ""
    if page:
        last = _ms(page[-1].seen[0])
        before = skipped if last == value else 0
        cursor = f"{last}:{before + sum(_ms(one.seen[0]) == last for one in page)}:0"
    listed = [_issue(world, one, single=False) for one in page]
    if collapsed:
        for item in listed:
            for name in ("count", "userCount", "firstSeen", "lastSeen"):
                del item[name]
    hits = {"X-Hits": str(min(len(fitting), _MOST_HITS)), "X-Max-Hits": str(_MOST_HITS)}
    return _answer(world, listed, 200, hits | _link(request, cursor, len(rest) > limit))


def _fits(issue: Issue, query: str) -> bool:
    """`firstSeen:<...` and `firstSeen:>=...`, all that the walks ask for."""
    first = issue.seen[0].astimezone(UTC).replace(tzinfo=None)
    for term in query.split():
        bound = datetime.fromisoformat(term.removeprefix("firstSeen:").lstrip("<>="))
        if ("<" in term and first >= bound) or (">=" in term and first < bound):
            return False
    return True


def _incidents(world: World, request: Request) -> JSONResponse:
    since, until = _times(request)
    told = []
    for one in sorted(world.incidents, key=lambda one: one.begun, reverse=True):
        closed = next((at for level, at in one.levels if level == "resolved"), None)
        if one.begun <= until and (closed is None or closed >= since):
            told.append(_incident(world, one))
    cursor = request.query_params.get("cursor")
    size, number = (
        (int(part) for part in cursor.split(":")[:2])
        if cursor
        else (int(request.query_params.get("per_page", 25)), 0)
    )
    return _page(world, request, told, size * number, size, f"{size}:{number + 1}:0")


def _page(
    world: World, request: Request, told: Sequence[Json], begin: int, size: int, cursor: str
) -> JSONResponse:
    page = list(told[begin : begin + size])
    return _answer(world, page, 200, _link(request, cursor, len(told) > begin + size))


def _link(request: Request, cursor: str, more: bool) -> dict[str, str]:
    url = str(request.url).partition("&cursor=")[0]
    results = "true" if more else "false"
    return {
        "Link": (
            f'<{url}&cursor=0:0:1>; rel="previous"; results="false"; cursor="0:0:1", '
            f'<{url}&cursor={cursor}>; rel="next"; results="{results}"; cursor="{cursor}"'
        )
    }


def _find(world: World, request: Request) -> Issue | None:
    asked = request.path_params["issue"]
    number = int(asked) if asked.isdigit() else 0
    number = world.merged.get(number, number)
    return next((one for one in world.issues if one.number == number), None)


def _of(issue: Issue, since: datetime, until: datetime) -> list[tuple[int, datetime]]:
    return [(n, at) for n, at in enumerate(issue.seen) if since <= at < until]


def _times(request: Request) -> tuple[datetime, datetime]:
    query = request.query_params
    begin = query.get("start", "1970-01-01T00:00:00")
    end = query.get("end", "2100-01-01T00:00:00")
    since, until = (datetime.fromisoformat(one).replace(tzinfo=UTC) for one in (begin, end))
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
        told = f"You are attempting to use this endpoint too frequently. Limit is {world.limit} requests in 1 seconds"
        return JSONResponse({"detail": told}, 429, headers=_limits(world))
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
    """A new pair of tokens; the refresh token is good for once."""
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
        "dateCreated": _iso(datetime.now(UTC)),
        "expiresAt": _iso(ends),
        "state": None,
        "application": None,
    }
    return JSONResponse(answer, 201)


def _answer(
    world: World, body: Any, status: int = 200, headers: dict[str, str] | None = None
) -> JSONResponse:
    return JSONResponse(body, status, headers={**_limits(world), **(headers or {})})


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)
