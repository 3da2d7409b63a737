"""Builds the GraphQL requests to Linear: queries, filters and what a request costs.

Lists are ordered by creation time, which never changes, so a walk skips nothing while items change.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from lightfast_pipelines.providers.api_contract import (
    Answer,
    Call,
    Cursor,
    Json,
    LinkedResource,
    Window,
)

LARGEST_PAGE = 250
"""The most items that Linear lists at once."""

_WORD = re.compile(r"\w+")
_PAGE_INFO = 1.2


@dataclass(frozen=True, slots=True)
class ListPart:
    """Which part of a list to count: what follows `after`, or what was created before `before`.

    `last` counts from the oldest item."""

    first: int | None = LARGEST_PAGE
    last: int | None = None
    after: str | None = None
    before: datetime | None = None


@dataclass(frozen=True, slots=True)
class LinearList:
    """One of Linear's lists. `where` gives the parts of its filter that select the walk's items."""

    connection: str
    filter_type: str
    where: Callable[[LinkedResource, Window], Sequence[Json | None]]

    def query(self, selection: str, extra_variables: str = "", *, name: str | None = None) -> str:
        """A page of the list, and the organization. `extra_variables` is like `, $entries: Int!`."""
        return (
            f"query {name or self.connection}($first: Int, $last: Int, $after: String, "
            f"$filter: {self.filter_type}{extra_variables}) {{ "
            "organization { id } "
            f"{self.connection}(first: $first, last: $last, after: $after, filter: $filter, "
            "orderBy: createdAt, includeArchived: true) { "
            f"nodes {{ {' '.join(selection.split())} }} "
            "pageInfo { hasNextPage endCursor } } }"
        )

    def filter(self, place: LinkedResource, window: Window) -> Json:
        """What was created before the window's end and satisfies `where`. Raises ValueError."""
        if not place.resource_id:
            raise ValueError(
                "Linear's resource has no id: link a team, a project or the organization by its id"
            )
        created: Json = {"createdAt": {"lt": moment(window.until)}}
        return {"and": [created, *(part for part in self.where(place, window) if part)]}

    def count_call(
        self, place: LinkedResource, window: Window, part: ListPart, selection: str, cost: float
    ) -> Call:
        """A page of dates for the estimate; `cost` is that of one item."""
        query = self.query(selection, name=f"count_{self.connection}")
        narrowed = replace(window, until=part.before) if part.before else window
        variables = {
            "first": part.first,
            "last": part.last,
            "after": part.after,
            "filter": self.filter(place, narrowed),
        }
        return call(query, variables, (part.first or 1) * cost)

    def page(self, answer: Answer) -> Json:
        """The list's page in a good answer."""
        page: Json = answer.data["data"][self.connection]
        return page


def next_cursor(page: Json) -> Cursor | None:
    """Where the list continues."""
    info = page["pageInfo"]
    return {"after": info["endCursor"]} if info["hasNextPage"] else None


def points(selection: str, *lists: tuple[int, str]) -> float:
    """The complexity of one item: 1 for an object, 0.1 for a field.

    `lists` are the item's own lists, as (length, selection). See linear.app/developers/rate-limiting.
    """
    objects = selection.count("{")
    fields = len(_WORD.findall(selection)) - objects
    inner = sum(_PAGE_INFO + length * points(fields_of) for length, fields_of in lists)
    return 1 + objects + 0.1 * fields + inner


def call(query: str, variables: Mapping[str, Any], cost: float) -> Call:
    """Counts against complexity, which Linear limits more tightly than requests for lists."""
    used = {name: value for name, value in variables.items() if value is not None}
    body = {"query": query, "variables": used}
    return Call("graphql", "POST", json=body, pool="complexity", cost=round(cost, 1))


def moment(at: datetime) -> str:
    """A time as Linear writes it: UTC, in milliseconds."""
    naive = at.astimezone(UTC).replace(tzinfo=None)
    return f"{naive.isoformat(timespec='milliseconds')}Z"


def organization_of(answer: Answer) -> str:
    return str(answer.data["data"]["organization"]["id"])


def within(place: LinkedResource, *paths: Sequence[str]) -> Json | None:
    """A filter for items where one of `paths` leads to the linked resource; None for the organization.

    A resource is a team or a project and its id does not say which, so the filter tries both.
    """
    organization_ids = (
        place.installation_id, place.account.get("organizationId"), place.account.get("id"),
    )  # fmt: skip
    if place.resource_id and place.resource_id in organization_ids:
        return None
    return {"or": [_nested(path, {"eq": place.resource_id}) for path in paths]}


def _nested(path: Sequence[str], inner: Json) -> Json:
    for name in reversed(path):
        inner = {name: inner}
    return inner


def changed_since(window: Window, *fields: str) -> Json:
    """Archiving leaves `updatedAt` as it was, so lists that can filter by `archivedAt` use both."""
    return {"or": [{field: {"gte": moment(window.since)}} for field in fields]}
