"""GitHub's GraphQL API for the worlds: pages by cursors, points, and errors with status 200.

docs.github.com, "Rate limits and query limits for the GraphQL API". The schema is in
`github_schema.py`, the nodes are in `github_nodes.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import graphql
import msgspec
from graphql import language

from tests.servers.github_nodes import Json, Nodes, connection, refused
from tests.servers.github_parts import iso
from tests.servers.github_schema import SCHEMA
from tests.servers.github_wire import Bucket, Reply, Request, fault

_MOST_NODES = 500_000
_UPDATED = re.compile(r"updated:>=(\S+)")
_PAGED = frozenset({"first", "last"})


def answer(request: Request, worlds: Sequence[Nodes], bucket: Bucket) -> Reply:
    if request.method != "POST":
        return fault(404, "Not Found")
    try:
        asked = msgspec.json.decode(request.body)
        query, variables = asked["query"], asked.get("variables") or {}
    except (msgspec.DecodeError, KeyError, TypeError):
        return fault(400, "Problems parsing JSON")
    document, wrong = _parsed(query)
    if document is None or wrong:
        return Reply(200, {"errors": [_error(one) for one in wrong]})
    requests, nodes = _weight(document, variables)
    if nodes > _MOST_NODES:
        message = f"This query requests up to {nodes:,} possible nodes which exceeds the maximum "
        limit = {"type": "MAX_NODE_LIMIT_EXCEEDED", "message": f"{message}limit of 500,000."}
        return Reply(200, {"errors": [limit]})
    cost = max(1, round(requests / 100))
    points = {
        "cost": cost,
        "limit": bucket.limit,
        "nodeCount": nodes,
        "remaining": max(0, bucket.left - cost),
        "resetAt": iso(bucket.resets_at),
        "used": bucket.used + cost,
    }
    told = graphql.execute_sync(SCHEMA, document, _root(worlds, points), variable_values=variables)
    data: Json = {"data": told.data}
    if told.errors:
        data["errors"] = [_error(one) for one in told.errors]
    return Reply(200, data, cost=cost)


@lru_cache(maxsize=200)
def _parsed(query: str) -> tuple[language.DocumentNode | None, Sequence[graphql.GraphQLError]]:
    try:
        document = graphql.parse(query)
    except graphql.GraphQLSyntaxError as error:
        return None, [error]
    return document, graphql.validate(SCHEMA, document)


def _error(error: graphql.GraphQLError) -> Json:
    """GitHub adds a type to the message, but not for queries that do not fit the schema."""
    told: Json = {**(error.extensions or {})}
    if error.path:
        told["path"] = error.path
    places = [{"line": one.line, "column": one.column} for one in error.locations or ()]
    return {**told, "locations": places, "message": error.message}


def _weight(document: language.DocumentNode, variables: Mapping[str, Any]) -> tuple[int, int]:
    """How many connections a query opens, and how many nodes they can return."""
    fragments = {
        one.name.value: one
        for one in document.definitions
        if isinstance(one, language.FragmentDefinitionNode)
    }

    def weigh(selection: language.SelectionSetNode | None, times: int) -> tuple[int, int]:
        requests = nodes = 0
        for one in selection.selections if selection else ():
            inner, within = times, getattr(one, "selection_set", None)
            if isinstance(one, language.FragmentSpreadNode):
                within = fragments[one.name.value].selection_set
            elif isinstance(one, language.FieldNode):
                size = _size(one, variables)
                if size is not None:
                    requests, inner = requests + times, times * size
                    nodes += inner
            more = weigh(within, inner)
            requests, nodes = requests + more[0], nodes + more[1]
        return requests, nodes

    total = requests = 0
    for one in document.definitions:
        if isinstance(one, language.OperationDefinitionNode):
            more = weigh(one.selection_set, 1)
            requests, total = requests + more[0], total + more[1]
    return requests, total


def _size(field: language.FieldNode, variables: Mapping[str, Any]) -> int | None:
    for argument in field.arguments:
        if argument.name.value in _PAGED:
            found = graphql.value_from_ast_untyped(argument.value, dict(variables))
            if isinstance(found, int):
                return found
    return None


def _root(every: Sequence[Nodes], points: Json) -> Json:
    def repository(info: Any, owner: str, name: str, followRenames: bool = True) -> Json:  # noqa: N803
        asked = f"{owner}/{name}".lower()
        for one in every:
            former = one.world.former_names if followRenames else []
            if asked in [known.lower() for known in (one.world.full_name, *former)]:
                return one.repository()
        raise refused(
            "NOT_FOUND", f"Could not resolve to a Repository with the name '{owner}/{name}'."
        )

    def node(info: Any, id: str) -> Json:  # noqa: A002
        for one in every:
            found = one.by_id(id)
            if found is not None:
                return found
        raise refused("NOT_FOUND", f"Could not resolve to a node with the global id of '{id}'")

    def nodes(info: Any, ids: list[str]) -> list[Json | None]:
        return [next((hit for one in every if (hit := one.by_id(each))), None) for each in ids]

    def search(info: Any, query: str, type: str, **page: Any) -> Json:  # noqa: A002
        words = query.split()
        kinds = "d" if type == "DISCUSSION" else "p" if "is:pr" in words else "i"
        kinds = "pi" if kinds == "i" and "is:issue" not in words else kinds
        since = _UPDATED.search(query)
        begin = datetime.fromisoformat(since[1]) if since else None
        # A search names one repository; nothing else of it is needed.
        named = [one for one in every if f"repo:{one.world.full_name}" in words]
        rows = named[0].found(kinds, begin) if named else []
        make = named[0].any if named else dict
        counts = {"discussionCount" if kinds == "d" else "issueCount": len(rows)}
        told = connection("search", rows, make)(info, **page)
        return {"issueCount": 0, "discussionCount": 0, **told, **counts}

    return {
        "repository": repository,
        "node": node,
        "nodes": nodes,
        "search": search,
        "rateLimit": lambda info, **_: points,
    }
