"""Lists of GitHub's GraphQL API: how a page is asked for, and how a walk goes from one to the next.

What is asked of each item stands in the modules named after the things.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from lightfast_pipelines.domain.keys import bare_number
from lightfast_pipelines.providers import paging
from lightfast_pipelines.providers.api_contract import (
    Answer,
    Call,
    Cursor,
    Estimate,
    LinkedResource,
    Window,
)
from lightfast_pipelines.providers.fields import child, children, flag, text, time, whole
from lightfast_pipelines.providers.github.api.counting import POINTS, count_in
from lightfast_pipelines.providers.github.api.listing import ListedItem
from lightfast_pipelines.providers.github.api.people import ACTOR
from lightfast_pipelines.providers.github.api.place import owner_and_name


def query_of(
    place: LinkedResource, selection: str, variables: Mapping[str, tuple[str, Any]]
) -> Any:
    """A query of the repository; `variables` are named with their type and value."""
    owner, name = owner_and_name(place)
    who = ACTOR if "...who" in selection else ""  # GraphQL refuses a fragment that nothing uses
    declared = "".join(f", ${each}: {kind}" for each, (kind, _) in variables.items())
    return {
        "query": (
            f"query($owner: String!, $name: String!{declared}) {{\n"
            f"  repository(owner: $owner, name: $name) {{\n    databaseId\n{selection}\n  }}\n  {POINTS}\n}}\n{who}"
        ),
        "variables": {
            "owner": owner,
            "name": name,
            **{each: value for each, (_, value) in variables.items()},
        },
    }


def call_of(query: Any, connections: int, *, of_one: bool = False) -> Call:
    """GraphQL's points: a hundredth of the connections that it has to open, at least one."""
    cost = max(1, math.ceil(connections / 100))
    return Call("graphql", "POST", json=query, pool="graphql", cost=cost, of_one=of_one)


def repository_in(place: LinkedResource, answer: Answer) -> ListedItem:
    """Raises TypeError where the answer is not one about a repository, ValueError where it is about
    another one: GraphQL knows repositories by name, and a name may have been given away."""
    data = answer.data
    found = child(child(data, "data"), "repository") if isinstance(data, dict) else {}
    if not found:
        raise TypeError("the answer has no repository")
    told = whole(found, "databaseId")
    if told is not None and str(told) != bare_number(place.resource_id):
        raise ValueError(
            f"{place.resource_name} is the name of another repository now ({told}); "
            "`lightfast backfill` of a day or more asks what this one is called"
        )
    return found


def nodes_of(connection: ListedItem) -> tuple[list[ListedItem], int]:
    """The items, and how many of them GitHub could not tell."""
    found = connection.get("nodes")
    if not isinstance(found, list):
        raise TypeError("the answer has no list of nodes")
    told: list[ListedItem] = [one for one in found if isinstance(one, dict)]
    return told, len(found) - len(told)


def is_told(connection: ListedItem) -> bool:
    """Whether GitHub could tell all of it: it has null for what it could not, one node or everything."""
    return bool(connection) and len(children(connection, "nodes")) == len(
        connection.get("nodes") or ()
    )


def first_the_rest(more: Sequence[Any], then: Cursor | None) -> Cursor | None:
    """Where to go on: to what did not fit beside its thing, before the next page."""
    return {"more": list(more), "then": then} if more else then


def end_of(connection: ListedItem) -> str | None:
    """The cursor behind the page; None where nothing follows."""
    page = child(connection, "pageInfo")
    return text(page, "endCursor") if flag(page, "hasNextPage") is True else None


def after_page(
    cursor: Cursor, connection: ListedItem, nodes: Sequence[ListedItem], window: Window
) -> Cursor | None:
    """The next page of a list by the time of the last change, newest first; see `looking_again`."""
    moments = _moments(nodes)
    behind = paging.moment(cursor.get("again_until")) or window.since
    end = end_of(connection)
    following = None
    if end is not None and not (moments and min(moments) < behind):
        following = {**cursor, "after": end}
    newest = max(moments, default=None)
    return paging.looking_again(cursor, following, newest, key="after")


def fresh(cursor: Cursor, nodes: Sequence[ListedItem]) -> Sequence[ListedItem]:
    """Where the list is looked at again, only what has changed since."""
    until = paging.moment(cursor.get("again_until"))
    if until is None:
        return nodes
    return [node for node in nodes if (at := time(node, "updatedAt")) is None or at >= until]


def reached(cursor: Cursor, nodes: Sequence[ListedItem], window: Window) -> datetime | None:
    if "again_until" in cursor:
        return window.since
    return min(_moments(nodes), default=None)


def _moments(nodes: Sequence[ListedItem]) -> list[datetime]:
    return [at for node in nodes if (at := time(node, "updatedAt")) is not None]


def counted(answer: Answer, page_size: int, cost: float) -> Estimate:
    """Pages of what was counted, and one more look at the top where there are several."""
    count = count_in(answer)
    pages = max(1, math.ceil(count / page_size))
    requests = pages + 1 if pages > 1 else 1
    return Estimate(requests, count, requests * cost)
