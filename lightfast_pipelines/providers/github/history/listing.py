"""Walks GitHub's numbered lists: one walker for all of them, told what each item means.

What the items are stands in the modules named after them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lightfast_pipelines.providers import paging
from lightfast_pipelines.providers.fields import time
from lightfast_pipelines.providers.github.history.place import address
from lightfast_pipelines.providers.history import (
    Answer,
    Call,
    Cursor,
    Estimate,
    Page,
    Place,
    Record,
    Trouble,
    Window,
)

Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Listing:
    """A list of a repository's. `records` raises ValueError for an item that none can be made of.

    `ordered_by` is the field by which it goes from the newest to the oldest, where GitHub does not
    cut it to the window itself: the walk ends with the first page that reaches behind the window.
    """

    entity_type: str
    path: str
    params: Callable[[Window], Mapping[str, str]]
    records: Callable[[Place, Item], Iterable[Record]]
    ordered_by: str | None = None
    page_size: int = 100

    def start(self, place: Place, window: Window) -> Cursor:  # noqa: ARG002
        return {"offset": 0}

    def call(self, place: Place, window: Window, cursor: Cursor, page_size: int) -> Call:
        return self._call(place, window, paging.page_of(cursor, page_size), page_size)

    def read(self, place: Place, window: Window, cursor: Cursor, answer: Answer) -> Page:
        items = _items(answer)
        records: list[Record] = []
        troubles: list[Trouble] = []
        for item in items:
            try:
                records += self.records(place, item)
            except (LookupError, TypeError, ValueError) as error:
                named = str(item.get("id") or item.get("sha") or "?")
                troubles.append(Trouble(f"{self.entity_type} {named}", str(error)[:200]))
        following = paging.after(cursor, answer, self.page_size)
        end = self._oldest(answer)
        if self.ordered_by is not None and end is not None and end < window.since:
            following = None
        reached = end or min((record.occurred_at for record in records), default=None)
        return Page(records, following, len(items), reached, troubles)

    def probe(self, place: Place, window: Window, answers: Sequence[Answer]) -> Call | Estimate:
        def call(number: int) -> Call:
            return self._call(place, window, str(number), self.page_size)

        def count(answer: Answer) -> int:
            return len(_items(answer))

        if self.ordered_by is None:
            return paging.estimate_of_all(answers, call, count)
        return paging.estimate_newest_first(answers, call, count, self._oldest, window.since)

    def _call(self, place: Place, window: Window, page: str, page_size: int) -> Call:
        params = {**self.params(window), "per_page": str(page_size), "page": page}
        return Call(f"{address(place)}/{self.path}", params=params)

    def _oldest(self, answer: Answer) -> datetime | None:
        if self.ordered_by is None:
            return None
        times = [time(item, self.ordered_by) for item in _items(answer)]
        return min((moment for moment in times if moment is not None), default=None)


def _items(answer: Answer) -> list[Item]:
    if not isinstance(answer.data, list):
        raise TypeError(f"a list was expected, not {type(answer.data).__name__}")
    return [item for item in answer.data if isinstance(item, dict)]


def iso(moment: datetime) -> str:
    """As GitHub's parameters want it: UTC, whole seconds, `Z`."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def kept(item: Item, *names: str) -> dict[str, Any]:
    """These fields of the item, in this order, where it has them."""
    return {name: item[name] for name in names if name in item}


def needed_time(item: Item, name: str) -> datetime:
    """Raises ValueError."""
    found = time(item, name)
    if found is None:
        raise ValueError(f"{name} is missing")
    return found
