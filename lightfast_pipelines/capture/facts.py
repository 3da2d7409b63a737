"""From the outcomes of a batch to whole observations: every payload that states a fact, folded.

An observation is a function of the set of payloads that state it, so those captured earlier are
read again beside the new ones. What is written, and how, stands in the writers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from operator import itemgetter

from lightfast_pipelines.capture.kept_readings import KeptReadings
from lightfast_pipelines.capture.reading import RawPayload
from lightfast_pipelines.capture.routing import Outcome
from lightfast_pipelines.capture.series import SeriesChanges, settle_series
from lightfast_pipelines.capture.statements import FactKey, Stated, read_again, source_of
from lightfast_pipelines.capture.writers.occurrences import EventKey
from lightfast_pipelines.domain.enrichment import Enriched, enrich
from lightfast_pipelines.domain.events import SOURCE_PRECEDENCE, Statement
from lightfast_pipelines.domain.folding import fold
from lightfast_pipelines.domain.keys import external_id
from lightfast_pipelines.store.database import Connection


@dataclass(frozen=True, slots=True)
class FactWorkspace:
    id: int
    org_id: str
    slug: str


@dataclass(frozen=True, slots=True)
class Fact:
    """A whole observation, ready to be written. `observation_id` is None until it has one."""

    workspace: FactWorkspace
    statement: Statement
    enriched: Enriched
    external_id: str
    recorded_at: datetime
    ingestion_source: str
    raw_ids: tuple[int, ...]
    rule_version: int


# When it happened and when its text was written.
_Times = tuple[datetime, datetime | None]


@dataclass(frozen=True, slots=True)
class Facts:
    """What a batch makes of the observations it touches.

    `known` are those already stored (key -> id), `gone` those that no payload states any more,
    `moved` those (ids) whose time changes, `frozen` those that only a dropped body states beside the
    batch: they keep their row and get the new payloads as further sources. `came` and `went` are
    (key, payload): the sources that change of what is counted, where all of them are too many to read.
    """

    written: Sequence[Fact]
    known: Mapping[FactKey, int]
    gone: Sequence[FactKey]
    frozen: Mapping[FactKey, tuple[int, ...]]
    moved: frozenset[int]
    counted: Set[FactKey]
    came: Set[tuple[FactKey, int]]
    went: Set[tuple[FactKey, int]]


def gather(
    conn: Connection,
    payloads: Mapping[int, RawPayload],
    outcomes: Sequence[Outcome],
    kept: KeptReadings,
) -> Facts:
    """Folds everything that the batch's payloads state, or stated when they were last captured."""
    stated: dict[FactKey, list[Stated]] = defaultdict(list)
    events: dict[EventKey, list[Stated]] = defaultdict(list)
    restarts: dict[tuple[int, str, int], datetime] = {}
    for outcome in outcomes:
        if outcome.workspace_id is None:
            continue
        raw = payloads[outcome.raw_payload_id]
        for statement in outcome.statements:
            one = Stated(raw, statement, outcome.rule_version)
            occurrence = statement.occurrence
            if occurrence is not None and not occurrence.restart:
                event = (outcome.workspace_id, occurrence.series, occurrence.event_id)
                events[event].append(one)
                continue
            stated[outcome.workspace_id, statement.source_id].append(one)
            if occurrence is not None:
                since = occurrence.since or statement.occurred_at
                restarts[outcome.workspace_id, occurrence.series, raw.id] = since
    bodied = [raw.id for raw in payloads.values() if raw.body is not None]
    known, sources, times = _known(conn, stated.keys(), payloads.keys())
    frozen = _add_others(conn, payloads, known, sources, stated, kept)
    series = settle_series(conn, bodied, events, restarts, partial(_read_events, conn, kept))
    counted, times_counted = _known_of_series(conn, {*series.told, *series.gone, *_keys(series)})
    known |= counted
    times |= times_counted
    workspaces = _workspaces(conn, {workspace for workspace, _ in [*stated, *series.told]})
    whole = {
        key: _whole(workspaces[key[0]], _folded(stated[key]), stated[key]) for key in sorted(stated)
    }
    new_sources = defaultdict(list)
    for key, raw_id in series.came:
        if raw_id in payloads:
            new_sources[key].append(raw_id)
    for key, told in sorted(series.told.items(), key=itemgetter(0)):
        fact = _whole(workspaces[key[0]], told.statement, told.stated)
        whole[key] = replace(
            fact,
            recorded_at=told.known_at or fact.recorded_at,
            raw_ids=tuple(sorted({*fact.raw_ids, *new_sources[key]})),
        )
    gone = sorted(
        key
        for key in known
        if key not in whole and key not in frozen and (key not in counted or key in series.gone)
    )
    moved = {
        known[key] for key in known if key in whole and _times(whole[key].statement) != times[key]
    }
    return Facts(
        [whole[key] for key in sorted(whole)],
        known,
        gone,
        frozen,
        frozenset(moved),
        series.told.keys(),
        series.came,
        series.went,
    )


def _keys(series: SeriesChanges) -> set[FactKey]:
    return {key for key, _ in [*series.came, *series.went]}


def _times(statement: Statement) -> _Times:
    return statement.occurred_at, statement.written_at


def _known(
    conn: Connection, keys: Iterable[FactKey], raw_ids: Iterable[int]
) -> tuple[dict[FactKey, int], dict[FactKey, list[int]], dict[FactKey, _Times]]:
    """Stored observations that the batch states now or stated before, all their payloads and their
    times; none that counts occurrences."""
    pairs = list(keys)
    rows = conn.execute(
        """
        WITH touched AS (
          SELECT o.id
          FROM unnest(%s::bigint[], %s::text[]) AS k (workspace_id, source_id)
          JOIN lightfast.observations o
            ON o.workspace_id = k.workspace_id AND o.source_id = k.source_id
          UNION
          SELECT s.observation_id FROM lightfast.observation_sources s
          WHERE s.raw_payload_id = ANY(%s)
        )
        SELECT o.workspace_id, o.source_id, o.id, o.occurred_at, o.written_at,
               ARRAY(SELECT s.raw_payload_id FROM lightfast.observation_sources s
                     WHERE s.observation_id = o.id ORDER BY 1)
        FROM touched t JOIN lightfast.observations o ON o.id = t.id
        WHERE o.series_key IS NULL
        """,
        ([w for w, _ in pairs], [s for _, s in pairs], list(raw_ids)),
    )
    known: dict[FactKey, int] = {}
    sources: dict[FactKey, list[int]] = {}
    times: dict[FactKey, _Times] = {}
    for workspace, source_id, identifier, occurred_at, written_at, raws in rows:
        known[workspace, source_id] = identifier
        sources[workspace, source_id] = raws
        times[workspace, source_id] = (occurred_at, written_at)
    return known, sources, times


def _known_of_series(
    conn: Connection, keys: Set[FactKey]
) -> tuple[dict[FactKey, int], dict[FactKey, _Times]]:
    """Those of these observations that are stored, and their times."""
    pairs = sorted(keys)
    if not pairs:
        return {}, {}
    rows = conn.execute(
        """
        SELECT o.workspace_id, o.source_id, o.id, o.occurred_at, o.written_at
        FROM unnest(%s::bigint[], %s::text[]) AS k (workspace_id, source_id)
        JOIN lightfast.observations o USING (workspace_id, source_id)
        """,
        ([w for w, _ in pairs], [s for _, s in pairs]),
    ).fetchall()
    return {(row[0], row[1]): row[2] for row in rows}, {(row[0], row[1]): row[3:] for row in rows}


def _add_others(
    conn: Connection,
    payloads: Mapping[int, RawPayload],
    known: Mapping[FactKey, int],
    sources: Mapping[FactKey, Sequence[int]],
    stated: dict[FactKey, list[Stated]],
    kept: KeptReadings,
) -> dict[FactKey, tuple[int, ...]]:
    """Adds what payloads outside the batch state of the known facts; takes out those that a payload
    without a body states, and returns them with all their payloads."""
    others = {raw for key in known for raw in sources[key] if raw not in payloads}
    found, bodiless = read_again(
        conn, others, lambda workspace, statement: (workspace, statement.source_id) in known, kept
    )
    bodiless |= {raw.id for raw in payloads.values() if raw.body is None}
    for workspace, one in found:
        stated[workspace, one.statement.source_id].append(one)
    frozen: dict[FactKey, tuple[int, ...]] = {}
    for key in known:
        if any(raw in bodiless for raw in sources[key]):
            old = [raw for raw in sources[key] if raw not in payloads or raw in bodiless]
            new = [one.raw.id for one in stated.pop(key, [])]
            frozen[key] = tuple(sorted({*old, *new}))
    return frozen


def _read_events(
    conn: Connection, kept: KeptReadings, raw_ids: Collection[int], events: Set[EventKey]
) -> tuple[dict[EventKey, list[Stated]], set[int]]:
    """What these payloads state of these events, and which payloads have no body any more."""

    def key_of(workspace: int, statement: Statement) -> EventKey | None:
        occurrence = statement.occurrence
        if occurrence is None or occurrence.restart:
            return None
        return workspace, occurrence.series, occurrence.event_id

    stated: dict[EventKey, list[Stated]] = defaultdict(list)
    found, bodiless = read_again(
        conn, raw_ids, lambda workspace, statement: key_of(workspace, statement) in events, kept
    )
    for workspace, one in found:
        key = key_of(workspace, one.statement)
        assert key is not None
        stated[key].append(one)
    return stated, bodiless


def _workspaces(conn: Connection, ids: Iterable[int]) -> dict[int, FactWorkspace]:
    rows = conn.execute(
        "SELECT id, org_id, slug FROM lightfast.workspaces WHERE id = ANY(%s)", (list(ids),)
    )
    return {row[0]: FactWorkspace(*row) for row in rows}


def _folded(stated: Sequence[Stated]) -> Statement:
    if len(stated) == 1:
        return stated[0].statement
    return fold([(source_of(one), one.statement) for one in stated])


def _whole(workspace: FactWorkspace, statement: Statement, stated: Sequence[Stated]) -> Fact:
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
