"""Walks a list of Linear whose items state their facts themselves: comments, projects, cycles.

The modules of these kinds name the list and say which facts an item yields.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
from lightfast_pipelines.providers.linear.api.counting import Costs, CountedPart, counting
from lightfast_pipelines.providers.linear.api.queries import LinearList, ListPart
from lightfast_pipelines.providers.linear.api.records import UNREADABLE, unreadable

_DATES = "createdAt"


@dataclass(frozen=True, slots=True)
class ListWalker:
    """A `Walker`; `records` turns an item, with its organization, into records."""

    entity_type: str
    page_size: int
    list: LinearList
    selection: str
    records: Callable[[Json, str], Sequence[Record]]
    fields: str | None = None
    """The selection without `inner_lists`, which are given as (length, selection): for the cost."""
    inner_lists: tuple[tuple[int, str], ...] = ()

    def start(self, place: LinkedResource, window: Window) -> Cursor:
        return {"after": None}

    def call(self, place: LinkedResource, window: Window, cursor: Cursor, page_size: int) -> Call:
        variables = {
            "first": page_size,
            "after": cursor.get("after"),
            "filter": self.list.filter(place, window),
        }
        return queries.call(self.list.query(self.selection), variables, page_size * self._points())

    def read(self, place: LinkedResource, window: Window, cursor: Cursor, answer: Answer) -> Page:
        page, organization = self.list.page(answer), queries.organization_of(answer)
        records: list[Record] = []
        troubles: list[UnreadableItem] = []
        for item in page["nodes"]:
            try:
                records += self.records(item, organization)
            except UNREADABLE as error:
                troubles.append(unreadable(self.entity_type, item, error))
        items = page["nodes"]
        return Page(records, queries.next_cursor(page), len(items), reached(items), troubles)

    def probe(
        self, place: LinkedResource, window: Window, answers: Sequence[Answer]
    ) -> Call | Estimate:
        def count_call(part: ListPart) -> Call:
            return self.list.count_call(place, window, part, _DATES, queries.points(_DATES))

        parts = [CountedPart.of(self.list.page(answer)) for answer in answers]
        return counting(count_call, parts, Costs(self.page_size, self._points()), window)

    def _points(self) -> float:
        return queries.points(self.fields or self.selection, *self.inner_lists)


def reached(items: Sequence[Json]) -> datetime | None:
    """The oldest creation time on a page."""
    created = [time(item, "createdAt") for item in items if isinstance(item, dict)]
    return min((at for at in created if at is not None), default=None)
