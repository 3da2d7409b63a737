"""What a batch did: outcomes, rows by table, and rows by day and table."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from lightfast_pipelines.capture.facts import Fact, Facts
from lightfast_pipelines.capture.raw_payloads import RawPayload
from lightfast_pipelines.capture.routing import Outcome
from lightfast_pipelines.capture.writing import WrittenRows
from lightfast_pipelines.domain.key_categories import is_candidate


@dataclass(frozen=True, slots=True)
class BatchResult:
    """`days`: partition day -> table (and `deliveries`) -> rows."""

    outcomes: Sequence[Outcome]
    written: WrittenRows
    days: Mapping[date, Counter[str]]
    raw_ids: Sequence[int]


def summarize_batch(
    taken: Sequence[RawPayload], outcomes: Sequence[Outcome], facts: Facts, written: WrittenRows
) -> BatchResult:
    """A fact counts on the day of the first payload of the batch that states it."""
    partition_days = {raw.id: raw.partition_date for raw in taken}
    days: dict[date, Counter[str]] = defaultdict(Counter)
    for day in partition_days.values():
        days[day]["deliveries"] += 1
    for fact in facts.written:
        raw_id = next((raw_id for raw_id in fact.raw_ids if raw_id in partition_days), None)
        if raw_id is not None:
            days[partition_days[raw_id]].update(_rows_of(fact))
    return BatchResult(outcomes, written, dict(days), list(partition_days))


def _rows_of(fact: Fact) -> dict[str, int]:
    mentioned = [m.thing.key for m in fact.enriched.mentions if not is_candidate(m.thing.key)]
    edges = [
        edge
        for edge in fact.enriched.edges
        if not (is_candidate(edge.subject.key) or is_candidate(edge.object.key))
    ]
    return {
        "observations": 1,
        "entities": len(set(mentioned)),
        "observation_entities": len(mentioned),
        "relationships": len(edges),
        "actor_identities": len({fact.statement.actor, fact.statement.author} - {None}),
        "temporal_states": len(fact.statement.states),
    }
