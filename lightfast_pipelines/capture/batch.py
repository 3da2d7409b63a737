"""Capture: takes waiting payloads in batches and writes every derived row and outcome of a batch in
one transaction. A process killed anywhere loses nothing: what is not committed still waits.

The caller holds the job lock `capture`. The steps stand in the files beside this one.
"""

from __future__ import annotations

import logging
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field
from datetime import date, datetime

from lightfast_pipelines.capture.deleted import mark_deleted
from lightfast_pipelines.capture.edges import write_edges
from lightfast_pipelines.capture.entities import write_mentions
from lightfast_pipelines.capture.facts import Fact, Facts, gather
from lightfast_pipelines.capture.faults import judge
from lightfast_pipelines.capture.identities import (
    ensure_identities,
    remove_unmentioned,
    write_identity_mentions,
)
from lightfast_pipelines.capture.kept import KeptReadings
from lightfast_pipelines.capture.lifecycle import apply_lifecycle
from lightfast_pipelines.capture.observations import (
    remove_observations,
    write_observations,
    write_sources,
)
from lightfast_pipelines.capture.outcomes import mark_changed, requeue_waiting, write_outcomes
from lightfast_pipelines.capture.place_names import add_names, stubs_named
from lightfast_pipelines.capture.reading import RawPayload, ReadPayload, describe_error, read, take
from lightfast_pipelines.capture.routing import (
    Outcome,
    decide,
    previously_delivered,
    reach,
)
from lightfast_pipelines.capture.states import name_states, write_states
from lightfast_pipelines.domain.keys import is_candidate
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.locks import share_routing

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class CaptureReport:
    """What a capture did. `days`: partition day -> table (and `deliveries`) -> rows."""

    deliveries: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    written: dict[str, int] = field(default_factory=dict)
    days: dict[date, dict[str, int]] = field(default_factory=dict)
    raw_ids: list[int] = field(default_factory=list)
    more: bool = False
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What one batch wrote: rows by table, rows by day and table."""

    outcomes: Sequence[Outcome]
    written: Counter[str]
    days: dict[date, Counter[str]]


def capture(
    conn: Connection,
    *,
    days: Sequence[date] | None,
    max_rows: int,
    batch_rows: int,
    now: datetime,
    progress: Callable[[int], None] | None = None,
    kept: KeptReadings | None = None,
) -> CaptureReport:
    """Captures up to `max_rows` waiting payloads of these partition days (None: of all).

    `progress` is told the number of payloads after each batch. `kept` spares reading earlier
    occurrences again; whoever calls several times on one database hands the same one in.
    """
    kept = KeptReadings() if kept is None else kept
    started = time.perf_counter()
    report = CaptureReport()
    outcomes: Counter[str] = Counter()
    written: Counter[str] = Counter()
    by_day: dict[date, Counter[str]] = defaultdict(Counter)
    while report.deliveries < max_rows:
        raws = take(conn, days, min(batch_rows, max_rows - report.deliveries))
        if not raws:
            conn.rollback()
            break
        for result in _capture_raws(conn, raws, now, kept):
            outcomes.update(one.status for one in result.outcomes)
            written.update(result.written)
            for day, counts in result.days.items():
                by_day[day].update(counts)
        report.deliveries += len(raws)
        report.raw_ids.extend(raw.id for raw in raws)
        if progress is not None:
            progress(len(raws))
    report.outcomes = dict(outcomes)
    report.written = dict(written)
    report.days = {day: dict(counts) for day, counts in sorted(by_day.items())}
    report.more = _is_waiting(conn, days)
    report.seconds = time.perf_counter() - started
    return report


def _is_waiting(conn: Connection, days: Sequence[date] | None) -> bool:
    row = conn.execute(
        "SELECT EXISTS (SELECT FROM lightfast.raw_queue WHERE %s OR partition_date = ANY(%s))",
        (days is None, list(days or ())),
    ).fetchone()
    conn.rollback()
    return bool(row and row[0])


def _capture_raws(
    conn: Connection, raws: Sequence[RawPayload], now: datetime, kept: KeptReadings
) -> list[BatchResult]:
    """Captures the payloads in one transaction; where one of them cannot be written, one by one.

    Raises what is no fault of a payload: the queue stays as it is.
    """
    try:
        result = capture_batch(conn, raws, now, kept)
        conn.commit()
    except Exception as error:
        if not judge(error).of_a_payload:
            raise
        conn.rollback()
        if len(raws) > 1:
            _log.warning(
                "batch of %d payloads failed, taking them one by one: %s",
                len(raws),
                describe_error(error),
            )
            middle = len(raws) // 2
            first, second = raws[:middle], raws[middle:]
            return _capture_raws(conn, first, now, kept) + _capture_raws(conn, second, now, kept)
        dead = _dead_letter(raws[0], error)
        write_outcomes(conn, [raws[0].id], [dead], now)
        conn.commit()
        counts = Counter({"deliveries": 1})
        return [BatchResult([dead], Counter(), {raws[0].partition_date: counts})]
    return [result]


def _dead_letter(raw: RawPayload, error: Exception) -> Outcome:
    return Outcome(
        raw.id, None, None, None, "dlq", describe_error(error), None, raw.attempts + 1, 0
    )


def capture_batch(
    conn: Connection, raws: Sequence[RawPayload], now: datetime, kept: KeptReadings
) -> BatchResult:
    """Everything that these payloads make true, written in the open transaction."""
    share_routing(conn)
    payloads = {raw.id: raw for raw in raws}
    readings = [read(raw) for raw in raws]
    kept.keep(readings)
    reached = reach(conn, readings)
    delivered = previously_delivered(conn, list(payloads))
    outcomes = [
        one for reading in readings for one in decide(reading, reached[reading.raw.id], delivered)
    ]
    apply_lifecycle(conn, readings)
    renamed = stubs_named(conn, add_names(conn, readings, reached))
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
    return BatchResult(outcomes, written, dict(days))


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
        {identifier: fact.raw_ids for identifier, fact in by_id.items()}
        | {facts.known[key]: raws for key, raws in facts.frozen.items()},
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
