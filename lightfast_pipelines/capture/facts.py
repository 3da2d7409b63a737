"""Folds statements into whole observations and enriches them: category, topics, mentions, edges."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime

from lightfast_pipelines.capture.answers import with_answers
from lightfast_pipelines.capture.collecting import Statements, load_stored
from lightfast_pipelines.capture.series import SeriesChanges
from lightfast_pipelines.capture.statements import FactKey, Stated
from lightfast_pipelines.domain.enrichment import Enriched
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
    """A whole observation, ready to be written."""

    workspace: FactWorkspace
    statement: Statement
    enriched: Enriched
    external_id: str
    recorded_at: datetime
    ingestion_source: str
    raw_ids: tuple[int, ...]
    rule_version: int
    question_hash: str | None = None
    """The question about it that no language model has answered."""

    @property
    def key(self) -> FactKey:
        return self.workspace.id, self.statement.source_id


@dataclass(frozen=True, slots=True)
class Facts:
    """What a batch makes of the observations that it touches.

    `stored` has the ids of those that exist already; `gone` are those that no payload states any more,
    `moved` (ids) those whose time changes. `sources` are all payloads that state a fact. An observation of
    a series has too many sources to read, so it has only the changes, `sources_added` and
    `sources_removed`, as (fact, payload).
    """

    written: Sequence[Fact]
    stored: Mapping[FactKey, int]
    gone: Sequence[FactKey]
    moved: frozenset[int]
    sources: Mapping[FactKey, Sequence[int]]
    sources_added: Set[tuple[FactKey, int]]
    sources_removed: Set[tuple[FactKey, int]]


def fold_facts(
    conn: Connection,
    statements: Statements,
    series: SeriesChanges,
    enriched: Callable[[Statement], Enriched],
) -> Facts:
    """Folds the statements about each fact, and has them `enriched`; the observations of series are folded
    already."""
    counted = load_stored(conn, series.facts)
    stored = {**statements.stored, **counted}
    workspaces = _load_workspaces(conn, {fact[0] for fact in [*statements.facts, *series.written]})
    facts = {
        key: _fact(workspaces[key[0]], _fold(stated), stated, enriched)
        for key, stated in statements.facts.items()
    }
    batch_sources = defaultdict(set)
    for key, raw_id in series.sources_added:
        if raw_id in statements.raw_ids:
            batch_sources[key].add(raw_id)
    for key, observation in series.written.items():
        fact = _fact(workspaces[key[0]], observation.statement, observation.stated, enriched)
        facts[key] = replace(
            fact,
            recorded_at=observation.known_at or fact.recorded_at,
            raw_ids=tuple(sorted({*fact.raw_ids, *batch_sources[key]})),
        )
    facts = with_answers(conn, facts)
    return Facts(
        written=[facts[key] for key in sorted(facts)],
        stored={key: row.id for key, row in stored.items()},
        gone=sorted(
            key
            for key in stored
            if key not in facts
            and key not in statements.frozen
            and (key not in counted or key in series.gone)
        ),
        moved=frozenset(
            row.id
            for key, row in stored.items()
            if key in facts
            and (row.occurred_at, row.written_at)
            != (facts[key].statement.occurred_at, facts[key].statement.written_at)
        ),
        sources={
            **{key: fact.raw_ids for key, fact in facts.items() if key not in series.written},
            **statements.frozen,
        },
        sources_added=series.sources_added,
        sources_removed=series.sources_removed,
    )


def _load_workspaces(conn: Connection, ids: Iterable[int]) -> dict[int, FactWorkspace]:
    rows = conn.execute(
        "SELECT id, org_id, slug FROM lightfast.workspaces WHERE id = ANY(%s)", (list(ids),)
    )
    return {row[0]: FactWorkspace(*row) for row in rows}


def _fold(statements: Sequence[Stated]) -> Statement:
    if len(statements) == 1:
        return statements[0].statement
    return fold([(stated.source, stated.statement) for stated in statements])


def _fact(
    workspace: FactWorkspace,
    statement: Statement,
    statements: Sequence[Stated],
    enriched: Callable[[Statement], Enriched],
) -> Fact:
    raws = [stated.raw for stated in statements]
    preferred = min(raws, key=lambda raw: (_rank(raw.ingestion_source), raw.id))
    return Fact(
        workspace=workspace,
        statement=statement,
        enriched=enriched(statement),
        external_id=external_id(workspace.org_id, workspace.slug, statement.source_id),
        recorded_at=min(raw.received_at for raw in raws),
        ingestion_source=preferred.ingestion_source,
        raw_ids=tuple(sorted({raw.id for raw in raws})),
        rule_version=max(stated.rule_version for stated in statements),
    )


def _rank(ingestion_source: str) -> int:
    return SOURCE_PRECEDENCE.get(ingestion_source, len(SOURCE_PRECEDENCE))
