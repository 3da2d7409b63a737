"""Vercel's REST API over a small world of deployments, and the webhooks that reported them.

True to the wire: paging by milliseconds, teams that are not seen without `teamId`, rate limits.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

Json = dict[str, Any]
TOKEN = "vercel-token-of-the-tests"


@dataclass(slots=True)
class Deployment:
    """`ended` is when it reached `state` (READY, ERROR, CANCELED); times in milliseconds.

    `dated`: whether the list says when it ended; a single deployment always does. `more` are other
    fields of the API.
    """

    uid: str
    created: int
    state: str = "READY"
    ended: int | None = None
    target: str | None = "production"
    creator: str = "usr_1"
    canceled_by: str = "usr_2"
    meta: Json = field(default_factory=dict)
    dated: bool = True
    custom_environment: str | None = None
    error: str | None = None
    more: Json = field(default_factory=dict)


@dataclass(slots=True)
class World:
    """One project of one team, or of a person if `team` is None."""

    deployments: list[Deployment] = field(default_factory=list)
    project: str = "prj_1"
    team: str | None = "team_1"
    name: str = "shop"
    tokens: set[str] = field(default_factory=lambda: {TOKEN})
    limit: int = 10_000
    used: int = 0


def item(world: World, one: Deployment, *, single: bool = False) -> Json:
    """As in the list, or (`single`) as requested alone."""
    made: Json = {
        "uid": one.uid,
        "name": world.name,
        "projectId": world.project,
        "url": _host(world, one),
        "created": one.created,
        "createdAt": one.created,
        "buildingAt": one.created + 1,
        "source": "git",
        "state": one.state,
        "readyState": one.state,
        "type": "LAMBDAS",
        "creator": {"uid": one.creator, "email": "ada@acme.test", "username": "ada"},
        "inspectorUrl": _page(world, one),
        "meta": one.meta,
        "target": one.target,
        "aliasAssigned": None,
        "isRollbackCandidate": False,
        "customEnvironment": {"id": one.custom_environment} if one.custom_environment else None,
        "errorMessage": one.error,
    }
    if one.ended is not None and (one.dated or single):
        ends = {"CANCELED": "canceledAt", "ERROR": "buildErrorAt"} if single else {}
        made[ends.get(one.state, "ready")] = one.ended
    made |= one.more
    if single:
        made["id"] = made.pop("uid")
    return made


def application(world: World) -> Starlette:
    async def deployments(request: Request) -> JSONResponse:
        refused = _refused(world, request)
        if refused is not None:
            return refused
        query = request.query_params
        limit = int(query.get("limit", 20))
        if not 1 <= limit <= 100:
            return _fault(world, 400, "bad_request", "`limit` should be between 1 and 100")
        seen = query.get("teamId") == world.team and query.get("projectId") in (None, world.project)
        until, since = int(query.get("until", 2**53)), int(query.get("since", 0))
        fitting = [
            deployment
            for deployment in sorted(world.deployments, key=lambda item: (-item.created, item.uid))
            if seen and since < deployment.created < until
        ]
        page = fitting[:limit]
        following = page[-1].created if len(fitting) > limit else None
        pagination = {
            "count": len(page),
            "next": following,
            "prev": page[0].created if page else None,
        }
        listed = [item(world, one) for one in page]
        return _answer(world, {"deployments": listed, "pagination": pagination})

    async def single(request: Request) -> JSONResponse:
        refused = _refused(world, request)
        if refused is not None:
            return refused
        for deployment in world.deployments:
            if deployment.uid == request.path_params["uid"] and (
                request.query_params.get("teamId") == world.team
            ):
                return _answer(world, item(world, deployment, single=True))
        return _fault(world, 404, "not_found", "The deployment could not be found")

    async def project(request: Request) -> JSONResponse:
        refused = _refused(world, request)
        if refused is not None:
            return refused
        team = request.query_params.get("teamId")
        if request.path_params["id"] != world.project or team != world.team:
            return _fault(world, 404, "not_found", "Project not found")
        return _answer(world, {"id": world.project, "name": world.name, "accountId": world.team})

    return Starlette(
        routes=[
            Route("/v9/projects/{id}", project),
            Route("/v7/deployments", deployments),
            Route("/v6/deployments", deployments),
            Route("/v13/deployments/{uid}", single),
        ]
    )


def webhooks(world: World) -> Iterator[tuple[str, Json]]:
    """(event, body) of each delivery that these deployments caused, as Vercel sends them."""
    ends = {
        "READY": "succeeded",
        "ERROR": "error",
        "CANCELED": "canceled",
        "BLOCKED": "blocked",
    }
    for deployment in world.deployments:
        yield _webhook(world, deployment, "created", deployment.created, deployment.creator)
        if deployment.ended is not None and deployment.state in ends:
            user = deployment.canceled_by if deployment.state == "CANCELED" else deployment.creator
            yield _webhook(world, deployment, ends[deployment.state], deployment.ended, user)


def _webhook(
    world: World, one: Deployment, transition: str, at: int, user: str
) -> tuple[str, Json]:
    event = f"deployment.{transition}"
    deployment: Json = {
        "id": one.uid,
        "customEnvironmentId": one.custom_environment,
        "meta": one.meta,
        "name": world.name,
        "url": _host(world, one),
        "inspectorUrl": _page(world, one),
    }
    if transition in ("error", "canceled") and one.error:
        deployment["errorMessage"] = one.error
    inner = {
        "team": {"id": world.team} if world.team else None,
        "user": {"id": user},
        "project": {"id": world.project},
        "installationIds": ["icfg_1"],
        "deployment": deployment,
        "links": {
            "deployment": _page(world, one),
            "project": _page(world, one).rpartition("/")[0],
        },
        "name": world.name,
        "plan": "pro",
        "regions": ["iad1"],
        "target": one.target,
        "type": "LAMBDAS",
        "url": _host(world, one),
    }
    return event, {
        "id": f"wh_{one.uid}_{transition}",
        "type": event,
        "createdAt": at,
        "payload": inner,
    }


def _host(world: World, one: Deployment) -> str:
    return f"{world.name}-{one.uid.removeprefix('dpl_').lower()}-acme.vercel.app"


def _page(world: World, one: Deployment) -> str:
    return f"https://vercel.com/acme/{world.name}/{one.uid.removeprefix('dpl_')}"


def _refused(world: World, request: Request) -> JSONResponse | None:
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    if token not in world.tokens:
        error = {"code": "forbidden", "message": "Not authorized", "invalidToken": True}
        return JSONResponse({"error": error}, 403)
    if world.used >= world.limit:
        limit = {"total": world.limit, "remaining": 0, "reset": int(time.time()) + 1}
        error = {"code": "rate_limited", "message": "Too many requests", "limit": limit}
        return JSONResponse({"error": error}, 429, headers=_limits(world))
    world.used += 1
    return None


def _limits(world: World) -> dict[str, str]:
    return {
        "x-ratelimit-limit": str(world.limit),
        "x-ratelimit-remaining": str(world.limit - world.used),
        "x-ratelimit-reset": str(int(time.time()) + 60),
    }


def _answer(world: World, body: Json) -> JSONResponse:
    return JSONResponse(json.loads(json.dumps(body)), headers=_limits(world))


def _fault(world: World, status: int, code: str, message: str) -> JSONResponse:
    return JSONResponse(
        {"error": {"code": code, "message": message}}, status, headers=_limits(world)
    )
