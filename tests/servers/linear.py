"""Linear's GraphQL API over a `World`: answers any query by walking its selections, with cursors,
filters, complexity and rate limits, and renews OAuth's tokens once each.

After linear.app/developers: graphql, pagination, filtering, rate-limiting, oauth.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any
from urllib.parse import parse_qsl

from graphql import parse
from graphql.error import GraphQLSyntaxError
from graphql.language import FieldNode, OperationDefinitionNode, SelectionSetNode
from graphql.pyutils import Undefined
from graphql.utilities import value_from_ast_untyped
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.servers.linear_ground import Json
from tests.servers.linear_world import World

_HOUR = 3600.0
_MOST_COMPLEX = 10_000
_LARGEST_PAGE = 250


@dataclass(slots=True)
class Linear:
    """The server's state besides the world: its tokens, its limits and the requests it got.

    `spent` counts the points of the hour that began at `began`.
    """

    world: World
    keys: set[str] = field(default_factory=lambda: {"lin_api_test"})
    tokens: set[str] = field(default_factory=set)
    refresh_tokens: set[str] = field(default_factory=set)
    client: tuple[str, str] = ("client", "client-secret")
    limits: dict[str, float] = field(
        default_factory=lambda: {"requests": 5_000.0, "complexity": 3_000_000.0}
    )
    spent: dict[str, float] = field(default_factory=lambda: {"requests": 0.0, "complexity": 0.0})
    began: float = field(default_factory=time.time)
    most_complex: float = _MOST_COMPLEX
    renewals: int = 0
    operations: list[str] = field(default_factory=list)

    def headers(self, complexity: float) -> dict[str, str]:
        """Reset times are in milliseconds."""
        found = {"x-complexity": str(ceil(complexity))}
        for name, limit in self.limits.items():
            found[f"x-ratelimit-{name}-limit"] = f"{limit:.0f}"
            found[f"x-ratelimit-{name}-remaining"] = f"{max(0.0, limit - self.spent[name]):.0f}"
            found[f"x-ratelimit-{name}-reset"] = f"{(self.began + _HOUR) * 1000:.0f}"
        return found

    def take(self, complexity: float) -> bool:
        """Whether both limits allow it."""
        if time.time() >= self.began + _HOUR:
            self.began, self.spent = time.time(), dict.fromkeys(self.limits, 0.0)
        cost = {"requests": 1.0, "complexity": complexity}
        if any(self.spent[name] + cost[name] > limit for name, limit in self.limits.items()):
            return False
        self.spent = {name: self.spent[name] + cost[name] for name in self.spent}
        return True


def app(linear: Linear) -> Starlette:
    async def graphql(request: Request) -> Response:
        return _answer(linear, request.headers.get("authorization", ""), await request.body())

    async def token(request: Request) -> Response:
        return _token(linear, dict(parse_qsl((await request.body()).decode())))

    return Starlette(
        routes=[
            Route("/graphql", graphql, methods=["POST"]),
            Route("/oauth/token", token, methods=["POST"]),
        ]
    )


def error(message: str, code: str, status: int = 400, shown: str | None = None) -> JSONResponse:
    """A failure as Linear reports it: by `extensions.code`, mostly with status 400."""
    extensions: Json = {"code": code, "statusCode": status}
    extensions["userPresentableMessage"] = shown or message
    body = {"errors": [{"message": message, "extensions": extensions}]}
    return JSONResponse(body, 401 if code == "AUTHENTICATION_ERROR" else 400)


def _answer(linear: Linear, authorization: str, body: bytes) -> Response:
    bearer = authorization.removeprefix("Bearer ")
    if bearer != authorization and bearer in linear.keys:
        shown = "It looks like you're trying to use an API key as a Bearer token."
        return error("Authentication failed", "AUTHENTICATION_ERROR", 401, shown)
    if authorization not in linear.keys and not (
        bearer != authorization and bearer in linear.tokens
    ):
        return error("Authentication required, not authenticated", "AUTHENTICATION_ERROR", 401)
    asked = json.loads(body)
    variables = asked.get("variables") or {}
    try:
        document = parse(asked["query"])
    except GraphQLSyntaxError as wrong:
        return error(str(wrong), "GRAPHQL_PARSE_FAILED")
    operation = next(
        definition
        for definition in document.definitions
        if isinstance(definition, OperationDefinitionNode)
    )
    linear.operations.append(operation.name.value if operation.name else "")
    complexity = ceil(_complexity(operation.selection_set, variables))
    headers = linear.headers(complexity)
    if complexity > linear.most_complex:
        shown = f"The query is too complex: {complexity}, at most {linear.most_complex} is allowed."
        refused = error("Query too complex", "INPUT_ERROR", 400, shown)
    elif not linear.take(complexity):
        shown = "Rate limit exceeded. Only so many requests are allowed per 1 hour."
        headers["x-ratelimit-requests-remaining"] = "0"
        refused = error("Rate limit exceeded", "RATELIMITED", 429, shown)
    else:
        try:
            data = _select(operation.selection_set, _root(linear.world), variables)
            return JSONResponse({"data": data}, headers=linear.headers(complexity))
        except KeyError as unknown:
            refused = error(f"Cannot query field {unknown}", "GRAPHQL_VALIDATION_FAILED")
    refused.headers.update(headers)
    return refused


def _token(linear: Linear, form: Mapping[str, Any]) -> Response:
    """A refresh token can be used once."""
    linear.renewals += 1
    if (form.get("client_id"), form.get("client_secret")) != linear.client:
        return JSONResponse({"error": "invalid_client"}, 401)
    if (
        form.get("grant_type") != "refresh_token"
        or form.get("refresh_token") not in linear.refresh_tokens
    ):
        return JSONResponse(
            {"error": "invalid_grant", "error_description": "Invalid refresh token"}, 400
        )
    linear.refresh_tokens = {f"refresh-{linear.renewals}"}
    linear.tokens = {f"access-{linear.renewals}"}
    return JSONResponse(
        {
            "access_token": f"access-{linear.renewals}",
            "refresh_token": f"refresh-{linear.renewals}",
            "token_type": "Bearer",
            "expires_in": 86_399,
            "scope": "read",
        }
    )


def _root(world: World) -> Json:
    return {
        "organization": world.organization,
        "teams": world.teams,
        "issues": world.issues,
        "comments": world.comments,
        "projects": world.projects,
        "projectUpdates": world.updates,
        "cycles": world.cycles,
    }


def _arguments(node: FieldNode, variables: Json) -> Json:
    found = {
        argument.name.value: value_from_ast_untyped(argument.value, variables)
        for argument in node.arguments
    }
    return {name: value for name, value in found.items() if value not in (None, Undefined)}


def _fields(selections: SelectionSetNode) -> Sequence[FieldNode]:
    return [selection for selection in selections.selections if isinstance(selection, FieldNode)]


def _is_connection(node: FieldNode) -> bool:
    chosen = _fields(node.selection_set) if node.selection_set else ()
    return any(each.name.value == "nodes" for each in chosen)


def _complexity(selections: SelectionSetNode, variables: Json) -> float:
    """0.1 for a field, 1 for an object, a list's items times its length (50 by default)."""
    found = 0.0
    for node in _fields(selections):
        if node.selection_set is None:
            found += 0.1
        elif _is_connection(node):
            given = _arguments(node, variables)
            length = given.get("first") or given.get("last") or 50
            for part in _fields(node.selection_set):
                if part.selection_set is not None:
                    times = length if part.name.value == "nodes" else 1
                    found += times * (1 + _complexity(part.selection_set, variables))
        else:
            found += 1 + _complexity(node.selection_set, variables)
    return found


def _select(selections: SelectionSetNode, thing: Json, variables: Json) -> Json:
    """Raises KeyError for an unknown field."""
    found: Json = {}
    for node in _fields(selections):
        name = node.name.value
        value = thing[name]
        if node.selection_set is None:
            found[name] = value
        elif _is_connection(node):
            found[name] = _page(node, value, variables)
        elif isinstance(value, list):
            found[name] = [_select(node.selection_set, each, variables) for each in value]
        else:
            found[name] = value and _select(node.selection_set, value, variables)
    return found


def _page(node: FieldNode, things: Sequence[Json], variables: Json) -> Json:
    """Newest first; a cursor is the id of the item before the page."""
    given = _arguments(node, variables)
    order = given.get("orderBy", "createdAt")
    listed = list(things)
    if things and order in things[0]:
        listed = sorted(things, key=lambda each: (each[order], each["id"]), reverse=True)
    behind = next((each for each in listed if each["id"] == given.get("after")), None)
    wanted = [
        each
        for each in listed
        if (given.get("includeArchived") or not each.get("archivedAt") or "first" not in given)
        and matches(given.get("filter"), each)
        and (behind is None or (each[order], each["id"]) < (behind[order], behind["id"]))
    ]
    length = min(given.get("first") or given.get("last") or 50, _LARGEST_PAGE)
    shown = wanted[-length:] if "last" in given else wanted[:length]
    info: Json = {
        "hasNextPage": "last" not in given and len(wanted) > length,
        "hasPreviousPage": behind is not None,
        "startCursor": shown[0]["id"] if shown else None,
        "endCursor": shown[-1]["id"] if shown else None,
    }
    found: Json = {}
    for part in _fields(node.selection_set) if node.selection_set else ():
        if part.selection_set is None:
            continue
        if part.name.value == "nodes":
            found["nodes"] = [_select(part.selection_set, each, variables) for each in shown]
        else:
            found["pageInfo"] = _select(part.selection_set, info, variables)
    return found


_COMPARED: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": lambda value, wanted: value == wanted,
    "in": lambda value, wanted: value in wanted,
    "gte": lambda value, wanted: value is not None and value >= wanted,
    "gt": lambda value, wanted: value is not None and value > wanted,
    "lt": lambda value, wanted: value is not None and value < wanted,
}


def matches(wanted: Any, thing: Any) -> bool:
    """Whether a thing matches a filter of Linear."""
    for name, inner in (wanted or {}).items():
        if name == "and":
            found = all(matches(each, thing) for each in inner)
        elif name == "or":
            found = any(matches(each, thing) for each in inner)
        elif name == "some":
            found = any(matches(inner, each) for each in thing or ())
        elif name in _COMPARED:
            found = _COMPARED[name](thing, inner)
        else:
            found = thing is not None and matches(inner, thing[name])
        if not found:
            return False
    return True
