"""What an hour's sweeps need, what each reports, and how it stays within its share of the limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime

from lightfast_pipelines.provider_api.client import ApiClient
from lightfast_pipelines.provider_api.ports import Apis
from lightfast_pipelines.providers.api_contract import Answer, Call
from lightfast_pipelines.store import sweeps as store
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.sources import Source

# Requests an hour, until a provider has said what its limit is.
_DEFAULT_REQUESTS = 1_000


@dataclass(slots=True)
class SweepReport:
    """The result of one sweep. `cost` is per rate limit of the provider."""

    source: Source
    kind: str
    status: str = "whole"
    known: int = 0
    listed: int = 0
    asked: int = 0
    gone: list[str] = field(default_factory=list)
    left: int = 0
    """Not listed, and not decided yet."""
    requests: int = 0
    cost: dict[str, float] = field(default_factory=dict)
    error: str | None = None

    def shown(self) -> dict[str, object]:
        """The row that an operator sees."""
        return {
            "resource": self.source.name,
            "kind": self.kind,
            "status": self.status,
            "known": self.known,
            "listed": self.listed,
            "asked_alone": self.asked,
            "gone": len(self.gone),
            "undecided": self.left,
            "requests": self.requests,
            "error": self.error,
        }


@dataclass(frozen=True, slots=True)
class SweepCycle:
    """What sweeps need. `share` is the part of each rate limit's hourly allowance that they may use."""

    database: Database
    apis: Apis
    clock: Callable[[], datetime]
    first_day: date
    share: float
    actor: str


class ShareUsedError(Exception):
    """The hour's share is used up; the sweep continues in the next hour."""


class SharedBudget:
    """Sends requests within the share of the rate limits that sweeps may use."""

    def __init__(
        self, conn: Connection, api: ApiClient, source: Source, share: float, report: SweepReport
    ) -> None:
        self._conn, self._api, self._source = conn, api, source
        self._share, self._report = share, report
        self.unsaved_requests = 0
        self.unsaved_cost: dict[str, float] = {}

    def ask(self, call: Call) -> Answer:
        """Raises ShareUsedError, CallFailedError."""
        limit = self._api.budget.left(call.pool).limit_an_hour
        if limit is None:
            limit = _DEFAULT_REQUESTS * call.cost
        used = store.spent(self._conn, self._source.installation_id, call.pool)
        self._conn.rollback()
        used += self.unsaved_cost.get(call.pool, 0.0)
        if used + call.cost > self._share * limit:
            raise ShareUsedError
        spent = self._api.spent
        requests_before, cost_before = spent.requests, spent.cost
        try:
            return self._api.ask(call)
        finally:
            requests, cost = spent.requests - requests_before, spent.cost - cost_before
            self._report.requests += requests
            self.unsaved_requests += requests
            for costs in (self.unsaved_cost, self._report.cost):
                costs[call.pool] = costs.get(call.pool, 0.0) + cost

    def saved(self) -> None:
        """Starts counting anew, as what was spent so far is in the database now."""
        self.unsaved_requests, self.unsaved_cost = 0, {}
