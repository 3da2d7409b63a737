"""What a backfill is asked for and what it comes to: plain values, and which units they name.

How it is carried out stands in `backfill.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lightfast_pipelines.backfill.estimate import Expected, UnitEstimate
from lightfast_pipelines.backfill.walk import UnitReport, WalkUnit
from lightfast_pipelines.providers.api_contract import ProviderApi
from lightfast_pipelines.store.backfills import Source


class BackfillError(ValueError):
    """A request that cannot be carried out; the message says what to do."""


@dataclass(frozen=True, slots=True)
class BackfillRequest:
    """What to read: of these links, these entity types (empty: all), from `since` to before `until`."""

    sources: Sequence[Source]
    since: datetime
    until: datetime
    entity_types: Sequence[str] = ()
    provider: str | None = None
    requested_by: str = "operator"
    dagster_run_id: str | None = None


@dataclass(frozen=True, slots=True)
class BackfillProgress:
    """How far it is. `left` is what remains of the budget last used, `ends_at` when it may be done."""

    unit: str
    requests: int
    expected_requests: int
    pages: int
    records: int
    stored: int
    reached: datetime | None
    left: float | None
    ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class Hearing:
    """Who wants to hear of it: the estimate before it starts, and each page."""

    on_estimate: Callable[[Expected, Sequence[UnitEstimate]], None] = lambda *_: None
    on_progress: Callable[[BackfillProgress], None] = lambda _: None


@dataclass(slots=True)
class Result:
    """What came of it: every unit's report, and the numbers beside the estimate."""

    status: str = "running"
    expected: Expected = field(default_factory=Expected)
    units: list[UnitReport] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)
    """Integration -> why its history could not be read at all."""
    broken: str | None = None
    """What ended all of it, where that was no unit's failure."""
    seconds: float = 0.0
    requests: int = 0
    waited_seconds: float = 0.0
    backfill_ids: list[int] = field(default_factory=list)

    @property
    def pages(self) -> int:
        return sum(one.pages for one in self.units)

    @property
    def records(self) -> int:
        return sum(one.records for one in self.units)

    @property
    def stored(self) -> int:
        return sum(one.stored for one in self.units)

    @property
    def failures(self) -> list[str]:
        """In words, for an operator."""
        failed = [f"{one.unit.name}: {one.error}" for one in self.units if one.status == "failed"]
        return [*sorted(set(self.refused.values())), *failed]

    def actual(self) -> dict[str, Any]:
        return {
            "requests": self.requests,
            "pages": self.pages,
            "records": self.records,
            "stored": self.stored,
            "troubles": sum(one.troubled for one in self.units),
            "seconds": round(self.seconds, 1),
            "waited_seconds": round(self.waited_seconds, 1),
        }


def units_of(
    request: BackfillRequest, provider_apis: Mapping[str, ProviderApi]
) -> tuple[list[WalkUnit], dict[int, str]]:
    """The units to walk, and the integrations whose history cannot be read, with why and what to do.

    Raises BackfillError for an entity type that no provider of the request has.
    """
    units: list[WalkUnit] = []
    refused: dict[int, str] = {}
    known: set[str] = set()
    wanted = set(request.entity_types)
    for source in request.sources:
        provider_api = provider_apis.get(source.provider)
        if provider_api is None:
            refused[source.integration_id] = (
                f"{source.name}: the history of {source.provider} cannot be read"
            )
            continue
        known |= {walker.entity_type for walker in provider_api.walkers}
        why = source.refused
        if why is None and not source.has_credential:
            why = (
                "it has no credential: give one with `lightfast integration add --workspace "
                f"{source.workspace} --provider {source.provider} --resource {source.resource_id} "
                "--ask-credential`"
            )
        if why is not None:
            refused[source.integration_id] = f"{source.name}: {why}"
            continue
        units += [
            WalkUnit(source, walker)
            for walker in provider_api.walkers
            if not wanted or walker.entity_type in wanted
        ]
    unknown = sorted(wanted - known)
    if unknown:
        raise BackfillError(
            f"no such entity type: {', '.join(unknown)}; known: {', '.join(sorted(known)) or 'none'}"
        )
    return units, refused


def by_installation(units: Sequence[WalkUnit]) -> list[list[WalkUnit]]:
    """Those that share a budget, together."""
    found: dict[int, list[WalkUnit]] = {}
    for unit in units:
        found.setdefault(unit.source.installation_id, []).append(unit)
    return list(found.values())
