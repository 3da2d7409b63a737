"""What a stretch of history will cost before it is read: requests, points, time.

The provider's own totals, asked for with a request or two a unit. What a walk does is `walk.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lightfast_pipelines.backfill.walk import WalkUnit
from lightfast_pipelines.provider_api.absence import ask_for_page
from lightfast_pipelines.provider_api.client import ApiClient, CallFailedError
from lightfast_pipelines.providers.api_contract import Answer, AnswerOutcome, Call, Estimate, Window
from lightfast_pipelines.store import coverage
from lightfast_pipelines.store.coverage import TimeSpan
from lightfast_pipelines.store.database import Connection

_MOST_PROBES = 12
# Of a provider that was not asked yet.
_SECONDS_A_REQUEST = 0.5


@dataclass(frozen=True, slots=True)
class UnitEstimate:
    """One unit's; `error` where the provider would not say, and the unit will tell why itself."""

    unit: WalkUnit
    intervals: Sequence[TimeSpan]
    requests: int
    items: int
    cost: float
    exact: bool
    error: str | None = None
    saved: int = 0
    """Of `requests`, those whose answer the estimate has already."""

    def shown(self) -> dict[str, Any]:
        """A row for whoever asked."""
        return {
            "unit": self.unit.name,
            "requests": self.requests,
            "items": self.items,
            "exact": self.exact,
            "note": self.error,
        }


@dataclass(frozen=True, slots=True)
class Expected:
    """Of all units together. `requests` has those that the estimate itself took (`probes`)."""

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
    """Asks as little as possible; nothing at all where nothing is left to fetch.

    Raises CallFailedError where the credential is refused: no unit of it can be read.
    """
    identifier = unit.source.integration_id
    intervals = coverage.uncovered(conn, identifier, unit.entity_type, asked)
    left = coverage.standing(conn, identifier, unit.entity_type)
    conn.rollback()
    requests = items = saved = 0
    cost, exact = 0.0, True
    for interval in intervals:
        if not coverage.is_long(interval):
            requests, cost, exact = requests + 1, cost + 1.0, False
            continue
        window = Window(interval.since, interval.until)
        try:
            found, probed = _probe(api, unit, window, check)
        except (LookupError, TypeError, AttributeError) as error:
            shape = f"{type(error).__name__}: {str(error)[:200]}"
            why = f"the answer to the estimate is not of a known shape ({shape})"
            return UnitEstimate(unit, intervals, requests, items, cost, False, why)
        except (CallFailedError, ValueError) as error:
            if isinstance(error, CallFailedError) and error.outcome is AnswerOutcome.CREDENTIAL:
                raise
            return UnitEstimate(unit, intervals, requests, items, cost, False, str(error))
        done = left.items if left and left.interval.since == interval.since else 0
        share = max(0.0, 1 - done / found.items) if found.items and done else 1.0
        requests += max(1, round(found.requests * share))
        saved += probed
        items += round(found.items * share)
        cost += (found.cost or found.requests) * share
        exact = exact and found.exact and share == 1.0
    return UnitEstimate(unit, intervals, requests, items, cost, exact, saved=saved)


def _probe(
    api: ApiClient, unit: WalkUnit, window: Window, check: Callable[[], None]
) -> tuple[Estimate, bool]:
    """The estimate, and whether its first request was the walk's own first page, which is kept for it.

    No other page is: what comes in between would shift the ones before it, and leave a gap.
    """
    walker, place = unit.walker, unit.place
    first = walker.call(place, window, walker.start(place, window), walker.page_size)
    answers: list[Answer] = []
    kept = False
    for _ in range(_MOST_PROBES + 1):
        check()
        found = walker.probe(place, window, answers)
        if not isinstance(found, Call):
            return found, kept
        answers.append(ask_for_page(api, place, found))
        if len(answers) == 1 and found == first:
            api.remember(found, answers[0])
            kept = True
        if answers[-1].nothing is not None:
            return Estimate(1, 0, exact=True), kept
    raise ValueError(f"{unit.name}: the estimate asks for more than {_MOST_PROBES} requests")


def expected(units: Sequence[UnitEstimate], opened: Mapping[int, ApiClient]) -> Expected:
    """The sum, and the time it takes: the answers' own, and waits for limits that it will reach.

    `opened` is each installation's access.
    """
    apis = opened.values()
    probes = sum(api.spent.requests for api in apis)
    spent = sum(api.spent.answer_seconds for api in apis)
    requests = sum(one.requests - one.saved for one in units)
    each = spent / probes if probes else _SECONDS_A_REQUEST
    return Expected(
        requests=requests + probes,
        probes=probes,
        items=sum(one.items for one in units),
        cost=sum(one.cost for one in units),
        seconds=requests * each + sum(_waits(units, one, api) for one, api in opened.items()),
        exact=all(one.exact for one in units),
    )


def _waits(units: Sequence[UnitEstimate], installation_id: int, api: ApiClient) -> float:
    """Seconds until the limit is full again, as often as it will be used up."""
    wanted = sum(one.cost for one in units if one.unit.source.installation_id == installation_id)
    left = api.budget.tightest()
    if left.remaining is None or left.limit is None or wanted <= left.remaining or not left.limit:
        return 0.0
    periods = -(-(wanted - left.remaining) // left.limit)
    return (left.seconds_to_reset or 0.0) + (periods - 1) * (left.window_seconds or 3_600.0)
