"""Estimates what a backfill will cost before it reads anything: requests, points, time.

The numbers are the provider's own totals, at a cost of one or two requests per unit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lightfast_pipelines.backfill.units import WalkUnit
from lightfast_pipelines.provider_api.absence import ask_for_page
from lightfast_pipelines.provider_api.client import ApiClient, CallFailedError
from lightfast_pipelines.providers.api_contract import Answer, AnswerOutcome, Call, Estimate, Window
from lightfast_pipelines.store import coverage
from lightfast_pipelines.store.coverage import TimeSpan
from lightfast_pipelines.store.database import Connection

_MOST_PROBES = 12
# Assumed for a provider that has not answered yet.
_SECONDS_A_REQUEST = 0.5


@dataclass(frozen=True, slots=True)
class UnitEstimate:
    """The estimate of one unit. `error` says why the provider gave none; the walk goes ahead anyway."""

    unit: WalkUnit
    intervals: Sequence[TimeSpan]
    requests: int
    items: int
    cost: float
    exact: bool
    error: str | None = None
    saved: int = 0
    """How many of `requests` the estimate has already made for the walk."""

    def shown(self) -> dict[str, Any]:
        """The row that an operator sees."""
        return {
            "unit": self.unit.name,
            "requests": self.requests,
            "items": self.items,
            "exact": self.exact,
            "note": self.error,
        }


@dataclass(frozen=True, slots=True)
class TotalEstimate:
    """The estimate of all units together. `requests` includes the estimate's own (`probes`)."""

    requests: int = 0
    probes: int = 0
    items: int = 0
    cost: float = 0.0
    seconds: float = 0.0
    exact: bool = True

    def shown(self) -> dict[str, Any]:
        return {**asdict(self), "seconds": round(self.seconds, 1), "cost": round(self.cost, 1)}


def estimate_unit(
    conn: Connection, api: ApiClient, unit: WalkUnit, asked: TimeSpan, check: Callable[[], None]
) -> UnitEstimate:
    """Sends as few requests as possible, and none if nothing is left to fetch.

    Raises CallFailedError if the credential is refused, as no unit can be read with it.
    """
    identifier = unit.source.integration_id
    intervals = coverage.uncovered(conn, identifier, unit.entity_type, asked)
    unfinished = coverage.unfinished_walk(conn, identifier, unit.entity_type)
    conn.rollback()
    requests = items = saved = 0
    cost, exact = 0.0, True
    for interval in intervals:
        if not coverage.is_long(interval):
            requests, cost, exact = requests + 1, cost + 1.0, False
            continue
        window = Window(interval.since, interval.until)
        try:
            estimate, is_first_page_kept = _probe(api, unit, window, check)
        except (LookupError, TypeError, AttributeError) as error:
            shape = f"{type(error).__name__}: {str(error)[:200]}"
            why = f"the answer to the estimate is not of a known shape ({shape})"
            return UnitEstimate(unit, intervals, requests, items, cost, False, why)
        except (CallFailedError, ValueError) as error:
            if isinstance(error, CallFailedError) and error.outcome is AnswerOutcome.CREDENTIAL:
                raise
            return UnitEstimate(unit, intervals, requests, items, cost, False, str(error))
        is_resumed = unfinished and unfinished.interval.since == interval.since
        done = unfinished.items if unfinished and is_resumed else 0
        share = max(0.0, 1 - done / estimate.items) if estimate.items and done else 1.0
        requests += max(1, round(estimate.requests * share))
        saved += is_first_page_kept
        items += round(estimate.items * share)
        cost += (estimate.cost or estimate.requests) * share
        exact = exact and estimate.exact and share == 1.0
    return UnitEstimate(unit, intervals, requests, items, cost, exact, saved=saved)


def _probe(
    api: ApiClient, unit: WalkUnit, window: Window, check: Callable[[], None]
) -> tuple[Estimate, bool]:
    """The estimate, and whether its first request was the walk's first page, which is kept for the walk.

    No other page is kept: changes in between would shift the pages before it and leave a gap.
    """
    walker, place = unit.walker, unit.place
    first = walker.call(place, window, walker.start(place, window), walker.page_size)
    answers: list[Answer] = []
    is_first_page_kept = False
    for _ in range(_MOST_PROBES + 1):
        check()
        probe = walker.probe(place, window, answers)
        if not isinstance(probe, Call):
            return probe, is_first_page_kept
        answers.append(ask_for_page(api, place, probe))
        if len(answers) == 1 and probe == first:
            api.remember(probe, answers[0])
            is_first_page_kept = True
        if answers[-1].nothing is not None:
            return Estimate(1, 0, exact=True), is_first_page_kept
    raise ValueError(f"{unit.name}: the estimate asks for more than {_MOST_PROBES} requests")


def total_estimate(
    estimates: Sequence[UnitEstimate], api_by_installation: Mapping[int, ApiClient]
) -> TotalEstimate:
    """The sum, with the time for the answers and for waiting whenever a limit is reached."""
    apis = api_by_installation.values()
    probes = sum(api.spent.requests for api in apis)
    answer_seconds = sum(api.spent.answer_seconds for api in apis)
    requests = sum(estimate.requests - estimate.saved for estimate in estimates)
    seconds_each = answer_seconds / probes if probes else _SECONDS_A_REQUEST
    waits = sum(
        _seconds_waiting(estimates, number, api) for number, api in api_by_installation.items()
    )
    return TotalEstimate(
        requests=requests + probes,
        probes=probes,
        items=sum(estimate.items for estimate in estimates),
        cost=sum(estimate.cost for estimate in estimates),
        seconds=requests * seconds_each + waits,
        exact=all(estimate.exact for estimate in estimates),
    )


def _seconds_waiting(
    estimates: Sequence[UnitEstimate], installation_id: int, api: ApiClient
) -> float:
    """The time spent waiting for the limit to reset, as often as it will be used up."""
    cost = sum(
        estimate.cost
        for estimate in estimates
        if estimate.unit.source.installation_id == installation_id
    )
    tightest = api.budget.tightest()
    if (
        tightest.remaining is None
        or tightest.limit is None
        or cost <= tightest.remaining
        or not tightest.limit
    ):
        return 0.0
    periods = -(-(cost - tightest.remaining) // tightest.limit)
    return (tightest.seconds_to_reset or 0.0) + (periods - 1) * (tightest.window_seconds or 3_600.0)
