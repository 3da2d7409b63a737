"""Lists of GitHub's GraphQL API: how a page is requested, and how a walk goes from page to page.

The modules named after the items say which fields are requested.
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
    """A query of the repository; `variables` maps each name to its type and value."""
    owner, name = owner_and_name(place)
    who = ACTOR if "...who" in selection else ""  # GraphQL refuses an unused fragment
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
    """The cost in GraphQL's points is a hundredth of the connections that it opens, at least one."""
    cost = max(1, math.ceil(connections / 100))
    return Call("graphql", "POST", json=query, pool="graphql", cost=cost, of_one=of_one)


def repository_in(place: LinkedResource, answer: Answer) -> ListedItem:
    """Raises TypeError if the answer has no repository, ValueError if it is another repository: GraphQL
    knows repositories by name, and the name may belong to another one now."""
    data = answer.data
    repository = child(child(data, "data"), "repository") if isinstance(data, dict) else {}
    if not repository:
        raise TypeError("the answer has no repository")
    number = whole(repository, "databaseId")
    if number is not None and str(number) != bare_number(place.resource_id):
        raise ValueError(
            f"{place.resource_name} is the name of another repository now ({number}); "
            "`lightfast backfill` of a day or more asks what this one is called"
        )
    return repository


def nodes_of(connection: ListedItem) -> tuple[list[ListedItem], int]:
    """The items, and how many of them GitHub did not return."""
    nodes = connection.get("nodes")
    if not isinstance(nodes, list):
        raise TypeError("the answer has no list of nodes")
    returned: list[ListedItem] = [node for node in nodes if isinstance(node, dict)]
    return returned, len(nodes) - len(returned)


def is_complete(connection: ListedItem) -> bool:
    """Whether GitHub returned the whole list: a node or a list that it cannot return is null."""
    return bool(connection) and len(children(connection, "nodes")) == len(
        connection.get("nodes") or ()
    )


def unfinished_first(more: Sequence[Any], then: Cursor | None) -> Cursor | None:
    """The next cursor: first the lists that a page left unfinished, then the next page."""
    return {"more": list(more), "then": then} if more else then


def end_of(connection: ListedItem) -> str | None:
    """The cursor after the page; None if nothing follows."""
    page = child(connection, "pageInfo")
    return text(page, "endCursor") if flag(page, "hasNextPage") is True else None


def after_page(
    cursor: Cursor, connection: ListedItem, nodes: Sequence[ListedItem], window: Window
) -> Cursor | None:
    """The next page of a list that is ordered by last change, newest first; see `paging.looking_again`."""
    moments = _moments(nodes)
    behind = paging.moment(cursor.get("again_until")) or window.since
    end = end_of(connection)
    following = None
    if end is not None and not (moments and min(moments) < behind):
        following = {**cursor, "after": end}
    newest = max(moments, default=None)
    return paging.looking_again(cursor, following, newest, key="after")


def fresh(cursor: Cursor, nodes: Sequence[ListedItem]) -> Sequence[ListedItem]:
    """The nodes; when the list is read a second time, only those that changed since."""
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


def estimate_of_count(answer: Answer, page_size: int, cost: float) -> Estimate:
    """An estimate from a count: the pages, and if there are several, one more request for the top."""
    count = count_in(answer)
    pages = max(1, math.ceil(count / page_size))
    requests = pages + 1 if pages > 1 else 1
    return Estimate(requests, count, requests * cost)
