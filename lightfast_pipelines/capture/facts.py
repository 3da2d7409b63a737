"""From the outcomes of a batch to whole observations: every payload that states a fact, folded.

An observation is a function of the set of payloads that state it, so those captured earlier are
read again beside the new ones. What is written, and how, stands in the writers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from lightfast_pipelines.capture.reading import BATCH_BYTES, RawPayload, load, read
from lightfast_pipelines.capture.routing import Outcome, decide, previously_delivered, reach
from lightfast_pipelines.domain.enrichment import Enriched, enrich
from lightfast_pipelines.domain.events import SOURCE_PRECEDENCE, Statement
from lightfast_pipelines.domain.folding import StatementSource, fold
from lightfast_pipelines.domain.keys import external_id
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


@dataclass(frozen=True, slots=True)
class Facts:
    """What a batch makes of the observations it touches.

    `known` are those already stored (key -> id), `gone` those that no payload states any more,
    `frozen` those that only a dropped body states beside the batch: they keep their row and get the
    new payloads as further sources.
    """

    written: Sequence[Fact]
    known: Mapping[FactKey, int]
    gone: Sequence[FactKey]
    frozen: Mapping[FactKey, tuple[int, ...]]


def gather(
    conn: Connection, payloads: Mapping[int, RawPayload], outcomes: Sequence[Outcome]
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
    known, sources = _known(conn, stated.keys(), payloads.keys())
    others = {raw for key in known for raw in sources[key] if raw not in payloads}
    bodiless = _read_others(conn, others, known, stated)
    frozen: dict[FactKey, tuple[int, ...]] = {}
    for key in known:
        if any(raw in bodiless for raw in sources[key]):
            kept = [raw for raw in sources[key] if raw not in payloads]
            new = [one.raw.id for one in stated.pop(key, [])]
            frozen[key] = tuple(sorted({*kept, *new}))
    workspaces = _workspaces(conn, {workspace for workspace, _ in stated})
    written = [_whole(workspaces[key[0]], stated[key]) for key in sorted(stated)]
    gone = sorted(key for key in known if key not in stated and key not in frozen)
    return Facts(written, known, gone, frozen)


def _known(
    conn: Connection, keys: Iterable[FactKey], raw_ids: Iterable[int]
) -> tuple[dict[FactKey, int], dict[FactKey, list[int]]]:
    """Stored observations that the batch states now or stated before, and all their payloads."""
    pairs = list(keys)
    rows = conn.execute(
        """
        WITH touched AS (
          SELECT o.id FROM unnest(%s::bigint[], %s::text[]) AS k (workspace_id, source_id)
          JOIN lightfast.observations o
            ON o.workspace_id = k.workspace_id AND o.source_id = k.source_id
          UNION
          SELECT observation_id FROM lightfast.observation_sources WHERE raw_payload_id = ANY(%s)
        )
        SELECT o.workspace_id, o.source_id, o.id,
               ARRAY(SELECT s.raw_payload_id FROM lightfast.observation_sources s
                     WHERE s.observation_id = o.id ORDER BY 1)
        FROM touched t JOIN lightfast.observations o ON o.id = t.id
        """,
        ([w for w, _ in pairs], [s for _, s in pairs], list(raw_ids)),
    )
    known: dict[FactKey, int] = {}
    sources: dict[FactKey, list[int]] = {}
    for workspace, source_id, identifier, raws in rows:
        known[workspace, source_id] = identifier
        sources[workspace, source_id] = raws
    return known, sources


def _read_others(
    conn: Connection,
    others: Iterable[int],
    known: Mapping[FactKey, int],
    stated: dict[FactKey, list[Stated]],
) -> set[int]:
    """Adds what payloads outside the batch state of the known facts; returns those without a body."""
    bodiless: set[int] = set()
    for ids in _portions(conn, sorted(others)):
        raws = load(conn, dict.fromkeys(ids, 0))
        readings = [read(raw) for raw in raws]
        reached = reach(conn, readings)
        delivered = previously_delivered(conn, ids)
        for reading in readings:
            if reading.raw.body is None:
                bodiless.add(reading.raw.id)
                continue
            for outcome in decide(reading, reached[reading.raw.id], delivered):
                for statement in outcome.statements:
                    key = (outcome.workspace_id or 0, statement.source_id)
                    if key in known:
                        stated[key].append(Stated(reading.raw, statement, outcome.rule_version))
    return bodiless


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


def _whole(workspace: Workspace, stated: Sequence[Stated]) -> Fact:
    if len(stated) == 1:
        statement = stated[0].statement
        first = stated[0].raw
    else:
        sources = [
            (
                StatementSource(one.raw.ingestion_source, one.raw.received_at, one.raw.body_sha256),
                one.statement,
            )
            for one in stated
        ]
        statement = fold(sources)
        first = min(
            (one.raw for one in stated), key=lambda raw: (_rank(raw.ingestion_source), raw.id)
        )
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
