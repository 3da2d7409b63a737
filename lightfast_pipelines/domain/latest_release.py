"""Which release of a repository is its latest: where that one is withdrawn, the one before it is again."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from lightfast_pipelines.domain import states
from lightfast_pipelines.domain.states import StateFact, StateInterval

STATE_TYPE = "latest_release"


def history(facts: Collection[StateFact]) -> list[StateInterval]:
    """As `states.history`, with what each withdrawal (an ending) makes the latest instead."""
    if not any(fact.is_ending for fact in facts):
        return states.history(facts)
    told: list[StateFact] = []
    # What is published and was not withdrawn, the latest last.
    standing: dict[str, StateFact] = {}
    for fact in sorted(facts, key=lambda one: (one.at, one.rank, one.source_id)):
        was_latest = next(reversed(standing), None) == fact.value
        standing.pop(fact.value, None)
        if not fact.is_ending:
            standing[fact.value] = fact
            told.append(fact)
        elif was_latest and standing:
            told += _instead(fact, standing[next(reversed(standing))])
        else:
            told.append(fact)
    return states.history(told)


def _instead(ending: StateFact, release: StateFact) -> list[StateFact]:
    """That this release is the latest from the ending on, known as soon as both are."""
    known_at = max(release.recorded_at, ending.recorded_at)
    again = replace(
        ending,
        value=release.value,
        reason=release.reason,
        metadata=release.metadata,
        recorded_at=known_at,
    )
    if known_at == ending.recorded_at:
        return [again]
    return [replace(ending, withdrawn_at=known_at), again]
