"""From the outcomes of a batch to whole observations: every payload that states a fact, folded.

An observation is a function of the set of payloads that state it, so those captured earlier are
read again beside the new ones. What is written, and how, stands in the writers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from lightfast_pipelines.capture.kept import KeptReadings
from lightfast_pipelines.capture.reading import BATCH_BYTES, RawPayload, ReadPayload, load, read
from lightfast_pipelines.capture.routing import Outcome, decide, previously_delivered, reach
from lightfast_pipelines.domain.enrichment import Enriched, enrich
from lightfast_pipelines.domain.events import SOURCE_PRECEDENCE, Statement
from lightfast_pipelines.domain.folding import StatementSource, fold
from lightfast_pipelines.domain.keys import external_id
from lightfast_pipelines.domain.occurrences import settle
from lightfast_pipelines.store.database import Connection


@dataclass(frozen=True, slots=True)
class Workspace:
    id: int
    org_id: str
    slug: str


@dataclass(frozen=True, slots=True)
class Stated:
    """One payload's statement of a fact."""

    raw: RawPayload
    statement: Statement
    rule_version: int


@dataclass(frozen=True, slots=True)
class Fact:
    """A whole observation, ready to be written. `observation_id` is None until it has one."""

    workspace: Workspace
    statement: Statement
    enriched: Enriched
    external_id: str
    recorded_at: datetime
    ingestion_source: str
    raw_ids: tuple[int, ...]
    rule_version: int


FactKey = tuple[int, str]
SeriesKey = tuple[int, str]
# When it happened and when its text was written.
_Times = tuple[datetime, datetime | None]


@dataclass(frozen=True, slots=True)
class Facts:
    """What a batch makes of the observations it touches.

    `known` are those already stored (key -> id), `gone` those that no payload states any more,
    `moved` those (ids) whose time changes, `frozen` those that only a dropped body states beside the
    batch: they keep their row and get the new payloads as further sources.
    """

    written: Sequence[Fact]
    known: Mapping[FactKey, int]
    gone: Sequence[FactKey]
    frozen: Mapping[FactKey, tuple[int, ...]]
    moved: frozenset[int]


def gather(
    conn: Connection,
    payloads: Mapping[int, RawPayload],
    outcomes: Sequence[Outcome],
    kept: KeptReadings,
) -> Facts:
    """Folds everything that the batch's payloads state, or stated when they were last captured."""
    stated: dict[FactKey, list[Stated]] = defaultdict(list)
    for outcome in outcomes:
        if outcome.workspace_id is None:
            continue
        for statement in outcome.statements:
            stated[outcome.workspace_id, statement.source_id].append(
                Stated(payloads[outcome.raw_payload_id], statement, outcome.rule_version)
            )
    series = _series_of(stated)
    known, sources, times, touched = _known(conn, stated.keys(), payloads.keys(), series)
    series |= touched
    others = {raw for key in known for raw in sources[key] if raw not in payloads}
    bodiless = _read_others(conn, others, known, series, stated, kept)
    frozen: dict[FactKey, tuple[int, ...]] = {}
    for key in known:
        if any(raw in bodiless for raw in sources[key]):
            old = [raw for raw in sources[key] if raw not in payloads]
            new = [one.raw.id for one in stated.pop(key, [])]
            frozen[key] = tuple(sorted({*old, *new}))
    workspaces = _workspaces(conn, {workspace for workspace, _ in stated})
    whole: dict[FactKey, Fact] = {}
    recurring: dict[SeriesKey, list[Stated]] = defaultdict(list)
    for key in sorted(stated):
        ones = stated[key]
        occurrence = ones[0].statement.occurrence
        if occurrence is not None:
            recurring[key[0], occurrence.series].extend(ones)
        if occurrence is None or occurrence.restart:
            whole[key] = _whole(workspaces[key[0]], _folded(ones), ones)
    for (workspace, _), ones in sorted(recurring.items()):
        for statement, stating in _settled(ones):
            key = (workspace, statement.source_id)
            if key not in whole and key not in frozen:
                whole[key] = _whole(workspaces[workspace], statement, stating)
    gone = sorted(key for key in known if key not in whole and key not in frozen)
    moved = {
        known[key] for key in known if key in whole and _times(whole[key].statement) != times[key]
    }
    return Facts([whole[key] for key in sorted(whole)], known, gone, frozen, frozenset(moved))


def _times(statement: Statement) -> _Times:
    return statement.occurred_at, statement.written_at


def _series_of(stated: Mapping[FactKey, Sequence[Stated]]) -> set[SeriesKey]:
    return {
        (workspace, one.statement.occurrence.series)
        for (workspace, _), ones in stated.items()
        for one in ones
        if one.statement.occurrence is not None
    }


def _settled(ones: Sequence[Stated]) -> list[tuple[Statement, list[Stated]]]:
    """What all occurrences of one series come to, each with the payloads that state it."""
    by_raw = {one.raw.id: one for one in ones}
    settled = settle([(_source(one), one.statement, one.raw.id) for one in ones])
    return [(statement, [by_raw[raw] for raw in raws]) for statement, raws in settled]


def _known(
    conn: Connection,
    keys: Iterable[FactKey],
    raw_ids: Iterable[int],
    series: Iterable[SeriesKey],
) -> tuple[dict[FactKey, int], dict[FactKey, list[int]], dict[FactKey, _Times], set[SeriesKey]]:
    """Stored observations that the batch states now or stated before, all their payloads, their
    times, and the series they count in: of a series every observation is touched."""
    pairs, recurring = list(keys), list(series)
    rows = conn.execute(
        """
        WITH direct AS (
          SELECT o.id, o.workspace_id, o.series_key
          FROM unnest(%s::bigint[], %s::text[]) AS k (workspace_id, source_id)
          JOIN lightfast.observations o
            ON o.workspace_id = k.workspace_id AND o.source_id = k.source_id
          UNION
          SELECT o.id, o.workspace_id, o.series_key FROM lightfast.observation_sources s
          JOIN lightfast.observations o ON o.id = s.observation_id
          WHERE s.raw_payload_id = ANY(%s)
        ),
        series AS (
          SELECT workspace_id, series_key FROM direct WHERE series_key IS NOT NULL
          UNION
          SELECT * FROM unnest(%s::bigint[], %s::text[])
        ),
        touched AS (
          SELECT id FROM direct
          UNION
          SELECT o.id FROM series k JOIN lightfast.observations o
            ON o.workspace_id = k.workspace_id AND o.series_key = k.series_key
        )
        SELECT o.workspace_id, o.source_id, o.id, o.series_key, o.occurred_at, o.written_at,
               ARRAY(SELECT s.raw_payload_id FROM lightfast.observation_sources s
                     WHERE s.observation_id = o.id ORDER BY 1)
        FROM touched t JOIN lightfast.observations o ON o.id = t.id
        """,
        (
            [w for w, _ in pairs],
            [s for _, s in pairs],
            list(raw_ids),
            [w for w, _ in recurring],
            [s for _, s in recurring],
        ),
    )
    known: dict[FactKey, int] = {}
    sources: dict[FactKey, list[int]] = {}
    times: dict[FactKey, _Times] = {}
    touched: set[SeriesKey] = set()
    for workspace, source_id, identifier, series_key, occurred_at, written_at, raws in rows:
        known[workspace, source_id] = identifier
        sources[workspace, source_id] = raws
        times[workspace, source_id] = (occurred_at, written_at)
        if series_key is not None:
            touched.add((workspace, series_key))
    return known, sources, times, touched


def _read_others(
    conn: Connection,
    others: Iterable[int],
    known: Mapping[FactKey, int],
    series: set[SeriesKey],
    stated: dict[FactKey, list[Stated]],
    kept: KeptReadings,
) -> set[int]:
    """Adds what payloads outside the batch state of the known facts and of the series; returns those
    without a body."""
    bodiless: set[int] = set()
    for readings in _readings(conn, sorted(others), kept):
        reached = reach(conn, readings)
        delivered = previously_delivered(conn, [reading.raw.id for reading in readings])
        for reading in readings:
            if reading.raw.body is None:
                bodiless.add(reading.raw.id)
                continue
            for outcome in decide(reading, reached[reading.raw.id], delivered):
                for statement in outcome.statements:
                    key = (outcome.workspace_id or 0, statement.source_id)
                    occurrence = statement.occurrence
                    if key in known or (occurrence and (key[0], occurrence.series) in series):
                        stated[key].append(Stated(reading.raw, statement, outcome.rule_version))
    return bodiless


def _readings(
    conn: Connection, ids: Sequence[int], kept: KeptReadings
) -> Iterable[list[ReadPayload]]:
    """In portions, those kept first, which are kept on."""
    found = kept.of(ids)
    if found:
        yield found
    known = {reading.raw.id for reading in found}
    for portion in _portions(conn, [one for one in ids if one not in known]):
        readings = [read(raw) for raw in load(conn, dict.fromkeys(portion, 0))]
        kept.keep(readings)
        yield readings


def _portions(conn: Connection, ids: Sequence[int]) -> Iterable[list[int]]:
    """Splits so that the bodies of one portion fit into memory."""
    sizes = (
        conn.execute(
            """
        SELECT p.id, coalesce(octet_length(b.body), 0)
        FROM lightfast.raw_payloads p LEFT JOIN lightfast.raw_bodies b
          ON b.raw_payload_id = p.id AND b.received_at = p.received_at
        WHERE p.id = ANY(%s) ORDER BY p.id
        """,
            (list(ids),),
        ).fetchall()
        if ids
        else []
    )
    portion: list[int] = []
    total = 0
    for identifier, size in sizes:
        if portion and total + size > BATCH_BYTES:
            yield portion
            portion, total = [], 0
        portion.append(identifier)
        total += size
    if portion:
        yield portion


def _workspaces(conn: Connection, ids: Iterable[int]) -> dict[int, Workspace]:
    rows = conn.execute(
        "SELECT id, org_id, slug FROM lightfast.workspaces WHERE id = ANY(%s)", (list(ids),)
    )
    return {row[0]: Workspace(*row) for row in rows}


def _source(one: Stated) -> StatementSource:
    return StatementSource(one.raw.ingestion_source, one.raw.received_at, one.raw.body_sha256)


def _folded(stated: Sequence[Stated]) -> Statement:
    if len(stated) == 1:
        return stated[0].statement
    return fold([(_source(one), one.statement) for one in stated])


def _whole(workspace: Workspace, statement: Statement, stated: Sequence[Stated]) -> Fact:
    first = min((one.raw for one in stated), key=lambda raw: (_rank(raw.ingestion_source), raw.id))
    return Fact(
        workspace=workspace,
        statement=statement,
        enriched=enrich(statement),
        external_id=external_id(workspace.org_id, workspace.slug, statement.source_id),
        recorded_at=min(one.raw.received_at for one in stated),
        ingestion_source=first.ingestion_source,
        raw_ids=tuple(sorted({one.raw.id for one in stated})),
        rule_version=max(one.rule_version for one in stated),
    )


def _rank(ingestion_source: str) -> int:
    return SOURCE_PRECEDENCE.get(ingestion_source, len(SOURCE_PRECEDENCE))
