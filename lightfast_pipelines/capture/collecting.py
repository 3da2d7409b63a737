"""Collects everything that is stated about the facts that a batch touches.

An observation is a function of the set of payloads that state it, so the statements of other payloads about
the same facts are collected too. A batch touches the facts that its payloads state now and those that they
stated when they were last captured.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from lightfast_pipelines.capture.kept_readings import KeptReadings
from lightfast_pipelines.capture.other_payloads import OtherPayloads
from lightfast_pipelines.capture.routing import RoutedPayloads
from lightfast_pipelines.capture.statements import FactKey, Stated, statements_of
from lightfast_pipelines.capture.writers.occurrences import EventKey, RestartKey
from lightfast_pipelines.store.database import Connection


@dataclass(frozen=True, slots=True)
class StoredFact:
    """An observation as it is stored: its id, when it happened, when its text was written."""

    id: int
    occurred_at: datetime
    written_at: datetime | None


@dataclass(frozen=True, slots=True)
class Statements:
    """What is stated about each fact; for events of series, only what the batch states.

    `frozen` are facts that a payload without a body states: they keep their row, and have these payloads as
    sources. `restarts` has the time at which each restart takes effect. `raw_ids` are the payloads of the
    batch, `readable_ids` those of them that have a body. `others` reads what other payloads state about
    events, when that is needed.
    """

    facts: Mapping[FactKey, Sequence[Stated]]
    stored: Mapping[FactKey, StoredFact]
    frozen: Mapping[FactKey, tuple[int, ...]]
    events: Mapping[EventKey, Sequence[Stated]]
    restarts: Mapping[RestartKey, datetime]
    raw_ids: frozenset[int]
    readable_ids: frozenset[int]
    others: OtherPayloads


def collect_statements(conn: Connection, routed: RoutedPayloads, kept: KeptReadings) -> Statements:
    """Collects what the batch and other payloads state about the same facts."""
    kept.keep(routed.payloads)
    others = OtherPayloads(conn, kept)
    raw_ids = frozenset(payload.raw.id for payload in routed.payloads)
    bodiless = {payload.raw.id for payload in routed.payloads if payload.raw.body is None}
    facts: dict[FactKey, list[Stated]] = defaultdict(list)
    events: dict[EventKey, list[Stated]] = defaultdict(list)
    restarts: dict[RestartKey, datetime] = {}
    for stated in statements_of(routed):
        if stated.event is not None:
            events[stated.event].append(stated)
            continue
        facts[stated.fact].append(stated)
        occurrence = stated.statement.occurrence
        if occurrence is not None:
            since = occurrence.since or stated.statement.occurred_at
            restarts[stated.workspace_id, occurrence.series, stated.raw.id] = since
    stored, sources = _load_touched(conn, facts.keys(), raw_ids)
    other_ids = {raw_id for ids in sources.values() for raw_id in ids} - raw_ids
    other_statements, bodiless_others = others.statements(
        other_ids, lambda stated: stated.fact in stored
    )
    for stated in other_statements:
        facts[stated.fact].append(stated)
    bodiless |= bodiless_others
    frozen: dict[FactKey, tuple[int, ...]] = {}
    for fact, ids in sources.items():
        if bodiless.intersection(ids):
            old = {raw_id for raw_id in ids if raw_id not in raw_ids or raw_id in bodiless}
            new = {stated.raw.id for stated in facts.pop(fact, [])}
            frozen[fact] = tuple(sorted(old | new))
    return Statements(
        facts,
        stored,
        frozen,
        events,
        restarts,
        raw_ids,
        raw_ids - bodiless,
        others,
    )


def load_stored(conn: Connection, facts: Collection[FactKey]) -> dict[FactKey, StoredFact]:
    """The facts among these that are stored."""
    if not facts:
        return {}
    rows = conn.execute(
        """
        SELECT o.workspace_id, o.source_id, o.id, o.occurred_at, o.written_at
        FROM unnest(%s::bigint[], %s::text[]) AS k (workspace_id, source_id)
        JOIN lightfast.observations o USING (workspace_id, source_id)
        """,
        [list(column) for column in zip(*sorted(facts), strict=True)],
    )
    return {(row[0], row[1]): StoredFact(*row[2:]) for row in rows}


def _load_touched(
    conn: Connection, facts: Iterable[FactKey], raw_ids: Iterable[int]
) -> tuple[dict[FactKey, StoredFact], dict[FactKey, list[int]]]:
    """The stored facts that these payloads state now or stated before, and all payloads that state each;
    observations of series are left out."""
    keys = list(facts)
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
        (
            [workspace for workspace, _ in keys],
            [source_id for _, source_id in keys],
            list(raw_ids),
        ),
    ).fetchall()
    return (
        {(row[0], row[1]): StoredFact(*row[2:5]) for row in rows},
        {(row[0], row[1]): row[5] for row in rows},
    )
