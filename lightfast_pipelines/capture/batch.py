"""Capture: takes waiting payloads in batches and writes every derived row and outcome of a batch in
one transaction. A process killed anywhere loses nothing: what is not committed still waits.

The caller holds the job lock `capture`. The steps stand in the files beside this one.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime

from lightfast_pipelines.capture.facts import Fact, Facts, gather
from lightfast_pipelines.capture.kept_readings import KeptReadings
from lightfast_pipelines.capture.reading import RawPayload, ReadPayload, read
from lightfast_pipelines.capture.repeats import without_repeated_changes, without_repeats
from lightfast_pipelines.capture.routing import (
    Outcome,
    decide,
    previously_delivered,
    reach,
)
from lightfast_pipelines.capture.writers.actor_identities import (
    ensure_identities,
    remove_unmentioned,
    write_identity_mentions,
)
from lightfast_pipelines.capture.writers.deleted import mark_deleted
from lightfast_pipelines.capture.writers.lifecycle import apply_lifecycle
from lightfast_pipelines.capture.writers.mentions import write_mentions
from lightfast_pipelines.capture.writers.observations import (
    change_sources,
    remove_observations,
    write_observations,
    write_sources,
)
from lightfast_pipelines.capture.writers.outcomes import requeue_waiting, write_outcomes
from lightfast_pipelines.capture.writers.place_names import add_names, stubs_named, withdraw_names
from lightfast_pipelines.capture.writers.relationships import write_edges
from lightfast_pipelines.capture.writers.temporal_states import name_states, write_states
from lightfast_pipelines.domain.key_categories import is_candidate
from lightfast_pipelines.store.consolidation_marks import mark_changed
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.locks import share_routing


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What one batch wrote: rows by table, rows by day and table."""

    outcomes: Sequence[Outcome]
    written: Counter[str]
    days: dict[date, Counter[str]]
    raw_ids: Sequence[int]


def capture_batch(
    conn: Connection, raws: Sequence[RawPayload], now: datetime, kept: KeptReadings
) -> BatchResult:
    """Everything that these payloads make true, written in the open transaction."""
    share_routing(conn)
    payloads = {raw.id: raw for raw in raws}
    readings = [read(raw) for raw in raws]
    kept.keep(readings)
    readings, displaced = without_repeated_changes(conn, readings)
    reached = reach(conn, readings)
    delivered = previously_delivered(conn, list(payloads))
    decided = [
        one for reading in readings for one in decide(reading, reached[reading.raw.id], delivered)
    ]
    outcomes = without_repeats(conn, payloads, decided)
    settled = apply_lifecycle(conn, readings)
    names = withdraw_names(conn, displaced) | add_names(conn, readings, reached, settled)
    renamed = stubs_named(conn, names)
    facts = gather(conn, payloads, _without_bodiless(readings, outcomes), kept)
    written = _write(conn, facts, renamed)
    write_outcomes(conn, list(payloads), outcomes, now)
    subjects = [fact.statement.subject for fact in facts.written]
    requeue_waiting(conn, {name for one in subjects for name in (one.key, *one.aliases)})
    days: dict[date, Counter[str]] = defaultdict(Counter)
    for raw in raws:
        days[raw.partition_date]["deliveries"] += 1
    for fact in facts.written:
        source = next((payloads[one] for one in fact.raw_ids if one in payloads), None)
        if source is not None:
            days[source.partition_date].update(_rows_of(fact))
    return BatchResult(outcomes, written, dict(days), list(payloads))


def _without_bodiless(
    readings: Sequence[ReadPayload], outcomes: Sequence[Outcome]
) -> Sequence[Outcome]:
    gone = {reading.raw.id for reading in readings if reading.raw.body is None}
    return [one for one in outcomes if one.raw_payload_id not in gone]


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
        "actor_identities": len({a for a in (fact.statement.actor, fact.statement.author) if a}),
        "temporal_states": len(fact.statement.states),
    }


def _write(conn: Connection, facts: Facts, renamed: Set[tuple[int, str]]) -> Counter[str]:
    identities = ensure_identities(conn, facts.written)
    before = _identities_of(conn, [facts.known[key] for key in facts.known])
    ids = write_observations(conn, facts.written, identities)
    by_id = {ids[fact.workspace.id, fact.statement.source_id]: fact for fact in facts.written}
    gone = {facts.known[key]: key[0] for key in facts.gone}
    earlier = {
        identifier: key[0]
        for key, identifier in facts.known.items()
        if identifier in by_id or identifier in gone
    }
    write_sources(
        conn,
        {
            ids[key]: fact.raw_ids
            for fact in facts.written
            if (key := (fact.workspace.id, fact.statement.source_id)) not in facts.counted
        }
        | {facts.known[key]: raws for key, raws in facts.frozen.items()},
    )
    stored = {**facts.known, **ids}
    change_sources(
        conn,
        came=[(stored[key], raw) for key, raw in facts.came if key in stored],
        went=[(stored[key], raw) for key, raw in facts.went if key in stored],
    )
    people = write_identity_mentions(conn, by_id.items(), identities, sorted(earlier), facts.moved)
    mentions = write_mentions(conn, by_id, earlier, facts.moved, renamed)
    relationships = write_edges(conn, by_id, sorted(earlier), mentions, facts.moved)
    states = write_states(conn, by_id, sorted(earlier), earlier)
    remove_observations(conn, sorted(gone))
    mark_deleted(conn, sorted(by_id), states.ended)
    remove_unmentioned(conn, before)
    name_states(conn, mentions.named)
    touched = [fact.workspace.id for fact in facts.written] + list(gone.values())
    mark_changed(conn, touched)
    return Counter(
        {
            "observations": len(by_id),
            "entities": mentions.entities,
            "observation_entities": mentions.mentions,
            "relationships": relationships,
            "actor_identities": len(identities),
            "identity_mentions": people,
            "temporal_states": states.intervals,
        }
    )


def _identities_of(conn: Connection, observations: Sequence[int]) -> list[int]:
    """Identities that these observations name before they are written again."""
    if not observations:
        return []
    rows = conn.execute(
        "SELECT DISTINCT identity_id FROM lightfast.identity_mentions WHERE observation_id = ANY(%s)",
        (list(observations),),
    )
    return [row[0] for row in rows]
