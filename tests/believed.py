"""The intervals that are believed at a moment, from the history that the rule folds from facts."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from lightfast_pipelines.domain.states import StateFact, StateInterval, history


def fold_current(
    facts: Collection[StateFact], *, as_known: datetime | None = None
) -> list[StateInterval]:
    """The intervals believed now, or at the moment `as_known`, ordered by their start."""
    received = facts
    if as_known is not None:
        received = [
            replace(fact, withdrawn_at=None)
            if fact.withdrawn_at is not None and fact.withdrawn_at > as_known
            else fact
            for fact in facts
            if fact.recorded_at <= as_known
        ]
    believed = [interval for interval in history(received) if interval.superseded_at is None]
    believed.sort(key=lambda i: (i.valid_from, i.fact.rank, i.fact.source_id))
    return believed
