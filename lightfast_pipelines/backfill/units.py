"""The units of a backfill (one entity type of one linked resource each) and a unit's report."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lightfast_pipelines.provider_api.sources import place_of
from lightfast_pipelines.providers.api_contract import (
    AnswerOutcome,
    LinkedResource,
    Page,
    UnreadableItem,
    Walker,
)
from lightfast_pipelines.store.sources import Source

_TROUBLES_KEPT = 20


@dataclass(frozen=True, slots=True)
class WalkUnit:
    """One entity type of one linked resource."""

    source: Source
    walker: Walker

    @property
    def entity_type(self) -> str:
        return self.walker.entity_type

    @property
    def name(self) -> str:
        return f"{self.source.name} {self.entity_type}"

    @property
    def place(self) -> LinkedResource:
        return place_of(self.source)


@dataclass(slots=True)
class UnitReport:
    """The result of a unit: `records` were read, `stored` of them were new."""

    unit: WalkUnit
    status: str = "completed"
    error: str | None = None
    outcome: AnswerOutcome | None = None
    pages: int = 0
    items: int = 0
    records: int = 0
    stored: int = 0
    requests: int = 0
    troubles: list[UnreadableItem] = field(default_factory=list)
    troubled: int = 0
    nothing: str | None = None
    """The provider's reason why there is nothing to read."""

    def shown(self) -> dict[str, Any]:
        """The row that an operator sees."""
        numbers = ("pages", "items", "records", "stored", "requests", "troubled")
        return {
            "unit": self.unit.name,
            "status": self.status,
            **{name: getattr(self, name) for name in numbers},
            "error": self.error,
            "note": self.nothing,
        }

    def add_page(self, page: Page, records: int, stored: int) -> None:
        self.pages += 1
        self.items += page.items
        self.records += records
        self.stored += stored
        self.troubled += len(page.troubles)
        self.troubles.extend(page.troubles[: max(0, _TROUBLES_KEPT - len(self.troubles))])
