"""Writes which observations state which edges, and the relationships that follow from them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import datetime
from typing import NamedTuple

from lightfast_pipelines.capture.facts import Fact
from lightfast_pipelines.capture.writers.mentions import WrittenMentions
from lightfast_pipelines.capture.writers.rows import (
    columns_of,
    differences,
    insert_rows,
    write_differences,
)
from lightfast_pipelines.capture.writers.stub_moves import EdgeRow
from lightfast_pipelines.store.database import Connection

SourceKey = tuple[int, str, str, str]
_SOURCE_KEY = {
    "observation_id": "bigint",
    "subject_key": "text",
    "object_key": "text",
    "type": "text",
}


_WorkspaceEdge = tuple[int, int, int, str]
"""Workspace, subject, object, type."""
_COLUMNS = (
    "workspace_id",
    "subject_id",
    "object_id",
    "type",
    "confidence",
    "method",
    "evidence",
    "first_seen_at",
    "last_seen_at",
    "observation_count",
)


class EdgeSource(NamedTuple):
    """What an observation states about an edge; the key is (observation, subject, object, type)."""

    subject_id: int | None
    object_id: int | None
    confidence: float
    method: str
    evidence: str | None


class _StatedEdge(NamedTuple):
    """What one new observation states about an edge. Of several statements, the smallest says how the edge
    was found: the one with the highest confidence, and of those the earliest."""

    doubt: float
    at: datetime
    source_id: str
    method: str
    has_no_evidence: bool
    evidence: str
    observation_id: int


# Whether an edge is of this type or another depends on what its object turns out to be.
_OF_CHANGING_TYPE = frozenset({"fixes", "resolves"})


def write_edges(
    conn: Connection,
    facts: Mapping[int, Fact],
    earlier_ids: Sequence[int],
    written: WrittenMentions,
    moved: Set[int],
) -> int:
    """Writes the edges of the facts (observation id -> fact); returns the number of relationships written.

    A relationship that only new observations state, or state once more, follows from these; any other is
    computed again from all observations that state it.
    """
    new: dict[SourceKey, EdgeSource] = {}
    for observation, fact in facts.items():
        workspace, at = fact.workspace.id, fact.statement.read_at
        for edge in fact.enriched.edges:
            subject, object_ = edge.subject.key, edge.object.key
            new[observation, subject, object_, edge.type] = EdgeSource(
                written.edge_end(observation, workspace, subject, at),
                written.edge_end(observation, workspace, object_, at),
                round(edge.confidence, 4),
                edge.method,
                edge.evidence,
            )
    changed = differences(_load(conn, earlier_ids), new, moved)
    write_differences(conn, "relationship_sources", _SOURCE_KEY, EdgeSource._fields, changed)
    earlier = set(earlier_ids)
    again = set(written.edges) | {
        (row.subject_id, row.object_id, key[3])
        for key, row in [*changed.removed.items(), *changed.added.items()]
        if row.subject_id is not None and row.object_id is not None
        if key[0] in earlier or key[3] in _OF_CHANGING_TYPE
    }
    stated: dict[_WorkspaceEdge, list[_StatedEdge]] = defaultdict(list)
    for (observation, _, _, kind), row in changed.added.items():
        if row.subject_id is None or row.object_id is None or row.subject_id == row.object_id:
            continue
        if (row.subject_id, row.object_id, kind) not in again:
            fact = facts[observation]
            stated[fact.workspace.id, row.subject_id, row.object_id, kind].append(
                _StatedEdge(
                    -row.confidence,
                    fact.statement.occurred_at,
                    fact.statement.source_id,
                    row.method,
                    row.evidence is None,
                    row.evidence or "",
                    observation,
                )
            )
    added, others = _add_relationships(conn, stated)
    return added + _write_relationships(conn, again | others)


def _add_relationships(
    conn: Connection, stated: Mapping[_WorkspaceEdge, Sequence[_StatedEdge]]
) -> tuple[int, set[EdgeRow]]:
    """Writes what new observations add to these relationships.

    Returns how many were written, and the others: those whose evidence may be that of a new statement or of
    an earlier one.
    """
    if not stated:
        return 0, set()
    rows = {edge: _relationship(edge, statements) for edge, statements in stated.items()}
    stored = {
        (row[0], row[1], row[2], row[3])
        for row in conn.execute(
            """
            SELECT r.workspace_id, r.subject_id, r.object_id, r.type
            FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[])
              AS k (workspace_id, subject_id, object_id, type)
            JOIN lightfast.relationships r USING (workspace_id, subject_id, object_id, type)
            """,
            columns_of(rows),
        )
    }
    # One capture runs at a time, so nobody else adds the same ones.
    insert_rows(
        conn, "relationships", _COLUMNS, [row for edge, row in rows.items() if edge not in stored]
    )
    if not stored:
        return len(rows), set()
    grown = {
        (row[0], row[1], row[2], row[3])
        for row in conn.execute(
            """
            UPDATE lightfast.relationships r SET
              confidence = greatest(r.confidence, k.confidence),
              method = CASE WHEN k.confidence > r.confidence THEN k.method ELSE r.method END,
              evidence = CASE WHEN k.confidence > r.confidence THEN k.evidence ELSE r.evidence END,
              first_seen_at = least(r.first_seen_at, k.first_seen_at),
              last_seen_at = greatest(r.last_seen_at, k.last_seen_at),
              observation_count = r.observation_count + k.observation_count
            FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::real[], %s::text[],
                        %s::text[], %s::timestamptz[], %s::timestamptz[], %s::integer[],
                        %s::timestamptz[])
              AS k (workspace_id, subject_id, object_id, type, confidence, method, evidence,
                    first_seen_at, last_seen_at, observation_count, stated_at)
            WHERE r.workspace_id = k.workspace_id AND r.subject_id = k.subject_id
              AND r.object_id = k.object_id AND r.type = k.type
              AND (k.confidence <> r.confidence OR k.stated_at > r.last_seen_at)
            RETURNING r.workspace_id, r.subject_id, r.object_id, r.type
            """,
            columns_of((*rows[edge], min(stated[edge]).at) for edge in sorted(stored)),
        )
    }
    return len(rows) - len(stored) + len(grown), {edge[1:] for edge in stored - grown}


def _relationship(edge: _WorkspaceEdge, statements: Sequence[_StatedEdge]) -> tuple[object, ...]:
    """The row of a relationship that only these state, in the order of the columns."""
    best = min(statements)
    times = [statement.at for statement in statements]
    return (
        *edge,
        -best.doubt,
        best.method,
        None if best.has_no_evidence else best.evidence,
        min(times),
        max(times),
        len({statement.observation_id for statement in statements}),
    )


def _load(conn: Connection, observations: Sequence[int]) -> dict[SourceKey, EdgeSource]:
    if not observations:
        return {}
    rows = conn.execute(
        """
        SELECT observation_id, subject_key, object_key, type, subject_id, object_id, confidence, method,
               evidence
        FROM lightfast.relationship_sources WHERE observation_id = ANY(%s)
        """,
        (list(observations),),
    )
    return {
        (row[0], row[1], row[2], row[3]): EdgeSource(
            row[4], row[5], round(row[6], 4), row[7], row[8]
        )
        for row in rows
    }


# A Sentry issue is resolved, not fixed. A short name may also be a Linear issue's, so the type is known
# only once the name is resolved.
_KIND = """
    CASE WHEN r.type = 'fixes' AND EXISTS (
      SELECT FROM lightfast.entities e WHERE e.id = r.object_id AND starts_with(e.key, 'sentry:issue:')
    ) THEN 'resolves' ELSE r.type END
"""


def _write_relationships(conn: Connection, edges: Iterable[EdgeRow]) -> int:
    """Computes these relationships from all edges that state them; deletes those that none states."""
    stated = set(edges)
    stated |= {
        (subject, object_, "resolves") for subject, object_, kind in stated if kind == "fixes"
    }
    wanted = sorted(stated)
    if not wanted:
        return 0
    columns = columns_of(wanted)
    written = conn.execute(
        f"""
        INSERT INTO lightfast.relationships ({", ".join(_COLUMNS)})
        SELECT min(o.workspace_id), r.subject_id, r.object_id, k.type, max(r.confidence),
               (array_agg(r.method ORDER BY r.confidence DESC, o.occurred_at, o.source_id,
                                            r.method COLLATE "C", r.evidence COLLATE "C"))[1],
               (array_agg(r.evidence ORDER BY r.confidence DESC, o.occurred_at, o.source_id,
                                              r.method COLLATE "C", r.evidence COLLATE "C"))[1],
               min(o.occurred_at), max(o.occurred_at), count(DISTINCT r.observation_id)
        FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS k (subject_id, object_id, type)
        JOIN lightfast.relationship_sources r
          ON r.subject_id = k.subject_id AND r.object_id = k.object_id AND {_KIND} = k.type
        JOIN lightfast.observations o ON o.id = r.observation_id
        WHERE r.subject_id <> r.object_id
        GROUP BY r.subject_id, r.object_id, k.type
        ON CONFLICT (workspace_id, subject_id, object_id, type) DO UPDATE SET
          confidence = excluded.confidence, method = excluded.method, evidence = excluded.evidence,
          first_seen_at = excluded.first_seen_at, last_seen_at = excluded.last_seen_at,
          observation_count = excluded.observation_count
        """,
        columns,
    ).rowcount
    conn.execute(
        f"""
        DELETE FROM lightfast.relationships s
        USING unnest(%s::bigint[], %s::bigint[], %s::text[]) AS k (subject_id, object_id, type)
        JOIN lightfast.entities e ON e.id = k.subject_id
        -- The workspace makes this use the unique key: every commit's edge to a branch has the same object.
        WHERE s.workspace_id = e.workspace_id
          AND s.subject_id = k.subject_id AND s.object_id = k.object_id AND s.type = k.type
          AND NOT EXISTS (
            SELECT FROM lightfast.relationship_sources r
            WHERE r.subject_id = k.subject_id AND r.object_id = k.object_id AND {_KIND} = k.type)
        """,
        columns,
    )
    return written
