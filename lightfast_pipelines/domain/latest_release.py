"""Which release of a repository is the latest: if that is withdrawn, the one before it is the latest again."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from operator import attrgetter

from lightfast_pipelines.domain import states
from lightfast_pipelines.domain.states import StateFact, StateInterval

STATE_TYPE = "latest_release"


def history(facts: Collection[StateFact]) -> list[StateInterval]:
    """As `states.history`; each withdrawal (an ending) makes the release before it the latest again."""
    if not any(fact.is_ending for fact in facts):
        return states.history(facts)
    believed: list[StateFact] = []
    # Releases that are published and not withdrawn, the latest last.
    published: dict[str, StateFact] = {}
    for fact in sorted(facts, key=attrgetter("at", "rank", "source_id")):
        was_latest = next(reversed(published), None) == fact.value
        published.pop(fact.value, None)
        if not fact.is_ending:
            published[fact.value] = fact
            believed.append(fact)
        elif was_latest and published:
            believed += _instead(fact, published[next(reversed(published))])
        else:
            believed.append(fact)
    return states.history(believed)


def _instead(ending: StateFact, release: StateFact) -> list[StateFact]:
    """The facts that this release is the latest from the ending on, known once both are known."""
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
