"""Walks a list of Linear's things whose facts stand in the things themselves.

Which list, which facts: that is said by the modules of comments, projects and cycles.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from lightfast_pipelines.providers.api_contract import (
    Answer,
    Call,
    Cursor,
    Estimate,
    Json,
    LinkedResource,
    Page,
    Record,
    UnreadableItem,
    Window,
)
from lightfast_pipelines.providers.fields import time
from lightfast_pipelines.providers.linear.api import queries
from lightfast_pipelines.providers.linear.api.counting import Asked, Costs, ListCount, counting

_DATES = "createdAt"


@dataclass(frozen=True, slots=True)
class ListWalker:
    """`history.Walker`. `where` is the filter's part that says which things are looked at."""

    entity_type: str
    page_size: int
    connection: str
    filter_type: str
    selection: str
    where: Callable[[LinkedResource, Window], Sequence[Json | None]]
    records: Callable[[Json, str], Sequence[Record]]
    priced: str | None = None
    """The selection without its lists, which `inner` are as (length, selection): for what they cost."""
    inner: tuple[tuple[int, str], ...] = ()

    def start(self, place: LinkedResource, window: Window) -> Cursor:
        return {"after": None}

    def call(self, place: LinkedResource, window: Window, cursor: Cursor, page_size: int) -> Call:
        query = queries.page_query(
            self.connection, self.connection, self.filter_type, self.selection
        )
        variables = {
            "first": page_size,
            "after": cursor.get("after"),
            "filter": queries.filter_of(window, place, *self.where(place, window)),
        }
        return queries.call(query, variables, page_size * self._points())

    def read(self, place: LinkedResource, window: Window, cursor: Cursor, answer: Answer) -> Page:
        found, organization = answer.data["data"][self.connection], queries.organization_of(answer)
        told: list[Record] = []
        troubles: list[UnreadableItem] = []
        for item in found["nodes"]:
            try:
                told += self.records(item, organization)
            except (LookupError, TypeError, ValueError, AttributeError) as error:
                troubles.append(trouble(self.entity_type, item, error))
        return Page(
            told, after(found), len(found["nodes"]), reached(found["nodes"]), tuple(troubles)
        )

    def probe(
        self, place: LinkedResource, window: Window, answers: Sequence[Answer]
    ) -> Call | Estimate:
        def ask(asked: Asked) -> Call:
            query = queries.page_query(
                f"count_{self.connection}", self.connection, self.filter_type, _DATES
            )
            narrowed = replace(window, until=asked.before) if asked.before else window
            variables = {
                "first": asked.first,
                "last": asked.last,
                "after": asked.after,
                "filter": queries.filter_of(narrowed, place, *self.where(place, window)),
            }
            return queries.call(query, variables, (asked.first or 1) * queries.points(_DATES))

        counted = [ListCount.of(answer.data["data"][self.connection]) for answer in answers]
        return counting(ask, counted, Costs(self.page_size, self._points()), window)

    def _points(self) -> float:
        return queries.points(self.priced or self.selection, *self.inner)


def after(found: Json) -> Cursor | None:
    """Where a list goes on."""
    info = found["pageInfo"]
    return {"after": info["endCursor"]} if info["hasNextPage"] else None


def reached(items: Sequence[Json]) -> datetime | None:
    made = [time(item, "createdAt") for item in items if isinstance(item, dict)]
    return min((each for each in made if each is not None), default=None)


def trouble(entity_type: str, item: object, error: Exception) -> UnreadableItem:
    """Names the item by its id where it has one."""
    identity = item.get("id") if isinstance(item, dict) else None
    return UnreadableItem(
        f"{entity_type} {identity or '?'}", f"{type(error).__name__}: {error}"[:300]
    )
