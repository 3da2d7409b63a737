"""Estimates how many items a list of Linear has: Linear reports no totals, so we page through dates.

A long list is paged through at its beginning and sampled beyond that; its estimate is not exact.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil

from lightfast_pipelines.providers.api_contract import Call, Estimate, Json, Window
from lightfast_pipelines.providers.fields import time
from lightfast_pipelines.providers.linear.api.queries import ListPart

_PAGES = 6
_SAMPLES = 4


@dataclass(frozen=True, slots=True)
class CountedPart:
    """A counted part of a list. `requests` is how many of its items need a request of their own,
    `oldest` its last creation time, `next` the cursor after it."""

    items: int
    requests: int
    oldest: datetime | None
    next: str | None

    @classmethod
    def of(cls, page: Json, needs_request: Callable[[Json], bool] = lambda _: False) -> CountedPart:
        nodes, info = page["nodes"], page["pageInfo"]
        oldest = time(nodes[-1], "createdAt") if nodes else None
        after = info["endCursor"] if info["hasNextPage"] else None
        return cls(len(nodes), sum(needs_request(node) for node in nodes), oldest, after)


@dataclass(frozen=True, slots=True)
class Costs:
    """The length of a page, and the complexity of an item in it and of a request for one item."""

    page_size: int
    item: float
    request: float = 0.0

    def estimate(self, items: float, requests: float, *, exact: bool) -> Estimate:
        calls = max(1, ceil(items / self.page_size)) + round(requests)
        cost = round(items * self.item + requests * self.request, 1)
        return Estimate(calls, round(items), cost, exact)


def counting(
    count_call: Callable[[ListPart], Call],
    parts: Sequence[CountedPart],
    costs: Costs,
    window: Window,
) -> Call | Estimate:
    """The next request, or the estimate once there are enough answers."""
    pages = parts[:_PAGES]
    if not pages:
        return count_call(ListPart())
    items, requests = (
        float(sum(page.items for page in pages)),
        float(sum(page.requests for page in pages)),
    )
    end = pages[-1]
    if end.next is None or end.oldest is None:
        return costs.estimate(items, requests, exact=requests == 0)
    if len(parts) < _PAGES:
        return count_call(ListPart(after=end.next))
    if len(parts) == _PAGES:
        return count_call(ListPart(first=None, last=1))
    oldest = parts[_PAGES].oldest or min(window.since, end.oldest)
    tops = [end.oldest + (oldest - end.oldest) * n / _SAMPLES for n in range(_SAMPLES)]
    samples = parts[_PAGES + 1 :]
    if len(samples) < _SAMPLES and all(sample.next for sample in samples):
        return count_call(ListPart(before=tops[len(samples)]))
    for top, below, sample in zip(tops, [*tops[1:], oldest], samples, strict=False):
        reach = (top - (sample.oldest or oldest)).total_seconds()
        # If the list ends within the sample, the sample holds everything that is left.
        share = (top - below).total_seconds() / reach if sample.next and reach > 0 else 1.0
        items, requests = items + sample.items * share, requests + sample.requests * share
    return costs.estimate(items, requests, exact=False)
