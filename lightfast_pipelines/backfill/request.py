"""A backfill's request, its progress and its result, and which units a request names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lightfast_pipelines.backfill.estimate import TotalEstimate, UnitEstimate
from lightfast_pipelines.backfill.units import UnitReport, WalkUnit
from lightfast_pipelines.providers.api_contract import ProviderApi
from lightfast_pipelines.store.sources import Source


class BackfillError(ValueError):
    """A request that cannot be carried out; the message says what to do."""


@dataclass(frozen=True, slots=True)
class BackfillRequest:
    """A request to read these entity types (empty: all) of these links, from `since` up to, but
    excluding, `until`."""

    sources: Sequence[Source]
    since: datetime
    until: datetime
    entity_types: Sequence[str] = ()
    provider: str | None = None
    requested_by: str = "operator"
    dagster_run_id: str | None = None


@dataclass(frozen=True, slots=True)
class BackfillProgress:
    """How far a backfill is. `left` is what remains of the last used budget, `ends_at` the estimated
    end."""

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
class BackfillListener:
    """What a backfill calls: with the estimate before it starts, and after each page."""

    on_estimate: Callable[[TotalEstimate, Sequence[UnitEstimate]], None] = lambda *_: None
    on_progress: Callable[[BackfillProgress], None] = lambda _: None


@dataclass(slots=True)
class BackfillResult:
    """Every unit's report, and the actual numbers beside the estimate."""

    status: str = "running"
    expected: TotalEstimate = field(default_factory=TotalEstimate)
    units: list[UnitReport] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)
    """Integration -> why its history could not be read at all."""
    broken: str | None = None
    """The error that ended the whole backfill, where no unit was at fault."""
    seconds: float = 0.0
    requests: int = 0
    waited_seconds: float = 0.0
    backfill_ids: list[int] = field(default_factory=list)

    @property
    def pages(self) -> int:
        return sum(report.pages for report in self.units)

    @property
    def records(self) -> int:
        return sum(report.records for report in self.units)

    @property
    def stored(self) -> int:
        return sum(report.stored for report in self.units)

    @property
    def failures(self) -> list[str]:
        """The result in words, for an operator."""
        failed = [
            f"{report.unit.name}: {report.error}"
            for report in self.units
            if report.status == "failed"
        ]
        return [*sorted(set(self.refused.values())), *failed]

    def actual(self) -> dict[str, Any]:
        return {
            "requests": self.requests,
            "pages": self.pages,
            "records": self.records,
            "stored": self.stored,
            "troubles": sum(report.troubled for report in self.units),
            "seconds": round(self.seconds, 1),
            "waited_seconds": round(self.waited_seconds, 1),
        }


def units_of(
    request: BackfillRequest, provider_apis: Mapping[str, ProviderApi]
) -> tuple[list[WalkUnit], dict[int, str]]:
    """The units to walk; for each other integration, why it cannot be read and what to do.

    Raises BackfillError for an entity type that no provider of the request has.
    """
    units: list[WalkUnit] = []
    refused: dict[int, str] = {}
    known_types: set[str] = set()
    wanted = set(request.entity_types)
    for source in request.sources:
        provider_api = provider_apis.get(source.provider)
        if provider_api is None:
            refused[source.integration_id] = (
                f"{source.name}: the history of {source.provider} cannot be read"
            )
            continue
        known_types |= {walker.entity_type for walker in provider_api.walkers}
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
    unknown = sorted(wanted - known_types)
    if unknown:
        raise BackfillError(
            f"no such entity type: {', '.join(unknown)}; known: {', '.join(sorted(known_types)) or 'none'}"
        )
    return units, refused


def by_installation(units: Sequence[WalkUnit]) -> list[list[WalkUnit]]:
    """The units in groups that share a budget."""
    groups: dict[int, list[WalkUnit]] = {}
    for unit in units:
        groups.setdefault(unit.source.installation_id, []).append(unit)
    return list(groups.values())
