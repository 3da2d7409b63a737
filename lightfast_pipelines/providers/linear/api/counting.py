"""How many things a list of Linear has: it tells no totals, so their dates alone are paged through.

A long list is paged through at its beginning and sampled behind that: then it is not exact.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil

from lightfast_pipelines.providers.api_contract import Call, Estimate, Json, Window
from lightfast_pipelines.providers.fields import time
from lightfast_pipelines.providers.linear.api.queries import LARGEST_PAGE

_PAGES = 6
_SAMPLES = 4


@dataclass(frozen=True, slots=True)
class Asked:
    """Which part of the list to count: behind `after`, or made before `before`; `last`: the oldest."""

    first: int | None = LARGEST_PAGE
    last: int | None = None
    after: str | None = None
    before: datetime | None = None


@dataclass(frozen=True, slots=True)
class ListCount:
    """A part of the list: how many things, how many need a request of their own, how far it went."""

    items: int
    more: int
    oldest: datetime | None
    next: str | None

    @classmethod
    def of(cls, found: Json, is_more: Callable[[Json], bool] = lambda _: False) -> ListCount:
        nodes, info = found["nodes"], found["pageInfo"]
        oldest = time(nodes[-1], "createdAt") if nodes else None
        behind = info["endCursor"] if info["hasNextPage"] else None
        return cls(len(nodes), sum(is_more(node) for node in nodes), oldest, behind)


@dataclass(frozen=True, slots=True)
class Costs:
    """A page's length, and the complexity of a thing in it and of a request of its own."""

    page_size: int
    item: float
    more: float = 0.0

    def estimate(self, items: float, more: float, *, exact: bool) -> Estimate:
        requests = max(1, ceil(items / self.page_size)) + round(more)
        return Estimate(
            requests, round(items), round(items * self.item + more * self.more, 1), exact
        )


def counting(
    ask: Callable[[Asked], Call], found: Sequence[ListCount], costs: Costs, window: Window
) -> Call | Estimate:
    """The next request, or the estimate after the last."""
    pages = found[:_PAGES]
    if not pages:
        return ask(Asked())
    items, more = float(sum(one.items for one in pages)), float(sum(one.more for one in pages))
    end = pages[-1]
    if end.next is None or end.oldest is None:
        return costs.estimate(items, more, exact=more == 0)
    if len(found) < _PAGES:
        return ask(Asked(after=end.next))
    if len(found) == _PAGES:
        return ask(Asked(first=None, last=1))
    oldest = found[_PAGES].oldest or min(window.since, end.oldest)
    tops = [end.oldest + (oldest - end.oldest) * n / _SAMPLES for n in range(_SAMPLES)]
    samples = found[_PAGES + 1 :]
    if len(samples) < _SAMPLES and all(one.next for one in samples):
        return ask(Asked(before=tops[len(samples)]))
    for top, below, sample in zip(tops, [*tops[1:], oldest], samples, strict=False):
        seen = (top - (sample.oldest or oldest)).total_seconds()
        # Where the list ends within the sample, all the rest is counted.
        share = (top - below).total_seconds() / seen if sample.next and seen > 0 else 1.0
        items, more = items + sample.items * share, more + sample.more * share
    return costs.estimate(items, more, exact=False)
