"""The GraphQL that is asked of Linear, what it costs there, and which part of an organization it is of.

Lists are ordered by when a thing was made: no later change moves it, so a walk skips nothing while
things change under it. What an answer means stands in the module of each kind of thing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from lightfast_pipelines.providers.api_contract import Answer, Call, Json, LinkedResource, Window

LARGEST_PAGE = 250
"""The most that Linear lists at once."""

_WORD = re.compile(r"\w+")
_PAGE_INFO = 1.2


def page_query(name: str, connection: str, filter_type: str, selection: str, more: str = "") -> str:
    """A page of a list, and whose it is. `more` are further variables (`, $entries: Int!`)."""
    return (
        f"query {name}($first: Int, $last: Int, $after: String, $filter: {filter_type}{more}) {{ "
        "organization { id } "
        f"{connection}(first: $first, last: $last, after: $after, filter: $filter, "
        "orderBy: createdAt, includeArchived: true) { "
        f"nodes {{ {' '.join(selection.split())} }} "
        "pageInfo { hasNextPage endCursor } } }"
    )


def points(selection: str, *lists: tuple[int, str]) -> float:
    """What Linear counts for one thing of a list: 1 for an object, 0.1 for a field of it.

    `lists` are its own lists, as (length, selection). After linear.app/developers/rate-limiting.
    """
    objects = selection.count("{")
    fields = len(_WORD.findall(selection)) - objects
    return 1 + objects + 0.1 * fields + sum(_PAGE_INFO + n * points(each) for n, each in lists)


def call(query: str, variables: Mapping[str, Any], cost: float) -> Call:
    """Counted by complexity, which Linear limits more tightly for lists than it does requests."""
    given = {name: value for name, value in variables.items() if value is not None}
    body = {"query": query, "variables": given}
    return Call("graphql", "POST", json=body, pool="complexity", cost=round(cost, 1))


def moment(at: datetime) -> str:
    """As Linear writes times: UTC, in milliseconds."""
    naive = at.astimezone(UTC).replace(tzinfo=None)
    return f"{naive.isoformat(timespec='milliseconds')}Z"


def organization_of(answer: Answer) -> str:
    return str(answer.data["data"]["organization"]["id"])


def filter_of(window: Window, place: LinkedResource, *parts: Json | None) -> Json:
    """What was made before the window's end, and all of `parts`."""
    if not place.resource_id:
        raise ValueError(
            "Linear's resource has no id: link a team, a project or the organization by its id"
        )
    made: Json = {"createdAt": {"lt": moment(window.until)}}
    return {"and": [made, *(part for part in parts if part)]}


def is_whole_organization(place: LinkedResource) -> bool:
    known = (place.installation_id, place.account.get("organizationId"), place.account.get("id"))
    return bool(place.resource_id) and place.resource_id in known


def of_place(place: LinkedResource, *paths: Sequence[str]) -> Json | None:
    """That one of `paths` ends in the linked resource; None for the whole organization.

    A resource is a team or a project, which its id does not tell: no id is both, so either is asked.
    """
    if is_whole_organization(place):
        return None
    return {"or": [_nested(path, {"eq": place.resource_id}) for path in paths]}


def _nested(path: Sequence[str], inner: Json) -> Json:
    for name in reversed(path):
        inner = {name: inner}
    return inner


def changed_since(window: Window, *fields: str) -> Json:
    """An archived or trashed thing keeps its `updatedAt`, so lists that can ask for both do."""
    return {"or": [{field: {"gte": moment(window.since)}} for field in fields]}
