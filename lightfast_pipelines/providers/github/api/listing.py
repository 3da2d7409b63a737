"""Walks GitHub's numbered lists: one walker for all of them.

The modules named after the items say how an item becomes records.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from lightfast_pipelines.providers import paging
from lightfast_pipelines.providers.api_contract import (
    Answer,
    Call,
    Cursor,
    Estimate,
    LinkedResource,
    Page,
    Record,
    UnreadableItem,
    Window,
)
from lightfast_pipelines.providers.fields import time
from lightfast_pipelines.providers.github.api.counting import count_call, count_in
from lightfast_pipelines.providers.github.api.place import address

ListedItem = Mapping[str, Any]
_CHANGES = "updated_at"


@dataclass(frozen=True, slots=True)
class Listing:
    """A `Walker` of one list of a repository. `records` raises ValueError for an item that it cannot read.

    `ordered_by` is the field that orders the list, newest first. It is set if GitHub cannot limit the
    list to the window: the walk then ends with the first page that reaches back beyond the window.
    `params` raises ValueError where the linked resource lacks something that is needed.

    A list that is ordered by last change is read again from its top at the end of the walk, down to what
    was the newest item at the beginning: items that changed during the walk have moved there. Other
    lists are ordered by creation, so no item moves forward.
    """

    entity_type: str
    path: str
    params: Callable[[LinkedResource, Window], Mapping[str, str]]
    records: Callable[[LinkedResource, ListedItem], Iterable[Record]]
    ordered_by: str | None = None
    page_size: int = 100
    cut_from: int | None = None
    """GitHub cuts a list at this many items "to keep the API fast": a walk that ends there is cut short."""

    def start(self, place: LinkedResource, window: Window) -> Cursor:
        return {"offset": 0}

    def call(self, place: LinkedResource, window: Window, cursor: Cursor, page_size: int) -> Call:
        call = self._call(place, window, paging.page_of(cursor, page_size), page_size)
        if "after" not in cursor:
            return call
        params = {name: value for name, value in call.params.items() if name != "page"}
        return replace(call, params={**params, "after": str(cursor["after"])})

    def read(self, place: LinkedResource, window: Window, cursor: Cursor, answer: Answer) -> Page:
        items = items_of(answer)
        following = paging.after(cursor, answer, self.page_size)
        if self.ordered_by is None:
            records, troubles = read_items(self.entity_type, place, items, self.records)
            reached = min((record.occurred_at for record in records), default=None)
            return Page(records, following, len(items), reached, troubles, _etag(cursor, answer))
        moments = self._moments(items)
        until = paging.moment(cursor.get("again_until"))
        if moments and min(moments) < (until or window.since):
            following = None
        else:
            self._refuse_cut(cursor, following, answer)
        if self.ordered_by == _CHANGES:
            following = paging.looking_again(cursor, following, max(moments, default=None))
        if until is not None:
            items = [item for item in items if (at := self._moment(item)) is None or at >= until]
        records, troubles = read_items(self.entity_type, place, items, self.records)
        reached = window.since if until is not None else min(moments, default=None)
        return Page(records, following, len(items), reached, troubles, _etag(cursor, answer))

    def probe(
        self, place: LinkedResource, window: Window, answers: Sequence[Answer]
    ) -> Call | Estimate:
        def call(number: int) -> Call:
            return self._call(place, window, str(number), self.page_size)

        def count(answer: Answer) -> int:
            return len(items_of(answer))

        def oldest(answer: Answer) -> datetime | None:
            return min(self._moments(items_of(answer)), default=None)

        if self.ordered_by is None and answers and paging.is_endless(answers[0]):
            if len(answers) == 1:
                return count_call(place, window, "")
            total = count_in(answers[1])
            return Estimate(max(2, -(-total // self.page_size)), total)
        if self.ordered_by is None:
            estimate = paging.estimate_of_all(answers, call, count)
        else:
            estimate = paging.estimate_newest_first(answers, call, count, oldest, window.since)
        if isinstance(estimate, Estimate) and self.ordered_by == _CHANGES and estimate.requests > 1:
            return replace(estimate, requests=estimate.requests + 1)
        return estimate

    def _call(self, place: LinkedResource, window: Window, page: str, page_size: int) -> Call:
        params = {**self.params(place, window), "per_page": str(page_size), "page": page}
        return Call(f"{address(place)}/{self.path}", params=params)

    def _refuse_cut(self, cursor: Cursor, following: Cursor | None, answer: Answer) -> None:
        """Raises ValueError if GitHub cut the list and older items cannot be fetched."""
        size = paging.page_size_of(answer, self.page_size)
        listed = int(cursor.get("offset", 0)) + len(items_of(answer))
        if self.cut_from and following is None and listed >= self.cut_from and listed % size == 0:
            raise ValueError(
                f"GitHub shows no more than the latest {listed:,} of {self.path}: what came before is "
                "not to be had, ask for a later --since"
            )

    def _moments(self, items: Iterable[ListedItem]) -> list[datetime]:
        return [moment for item in items if (moment := self._moment(item)) is not None]

    def _moment(self, item: ListedItem) -> datetime | None:
        return time(item, self.ordered_by or "")


def _etag(cursor: Cursor, answer: Answer) -> str | None:
    """The first page's etag: new items are on that page, and an answer of 304 counts against no limit."""
    return answer.headers.get("etag") if cursor == {"offset": 0} else None


def read_items(
    entity_type: str,
    place: LinkedResource,
    items: Iterable[ListedItem],
    records: Callable[[LinkedResource, ListedItem], Iterable[Record]],
) -> tuple[list[Record], list[UnreadableItem]]:
    """The records of the items, and the items that could not be read."""
    read: list[Record] = []
    troubles: list[UnreadableItem] = []
    for item in items:
        try:
            read += list(records(place, item))
        except (LookupError, TypeError, AttributeError, ValueError) as error:
            identity = str(item.get("id") or item.get("sha") or item.get("number") or "?")
            reason = f"{type(error).__name__}: {error}"[:200]
            troubles.append(UnreadableItem(f"{entity_type} {identity}", reason))
    return read, troubles


def items_of(answer: Answer) -> list[ListedItem]:
    if not isinstance(answer.data, list):
        raise TypeError(f"a list was expected, not {type(answer.data).__name__}")
    return [item for item in answer.data if isinstance(item, dict)]


def nothing(place: LinkedResource, window: Window) -> Mapping[str, str]:  # noqa: ARG001
    """No parameters."""
    return {}


def iso(moment: datetime) -> str:
    """A moment as a parameter for GitHub: UTC, whole seconds, `Z`."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def kept(item: ListedItem, *names: str) -> dict[str, Any]:
    """The fields of the item that have these names, in this order."""
    return {name: item[name] for name in names if name in item}


def needed_time(item: ListedItem, name: str) -> datetime:
    """The time under `name`. Raises ValueError."""
    moment = time(item, name)
    if moment is None:
        raise ValueError(f"{name} is missing")
    return moment
