"""Writes which observations state which edges, and the relationships that follow from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import NamedTuple

from lightfast_pipelines.capture.facts import Fact
from lightfast_pipelines.capture.writers.mentions import WrittenMentions
from lightfast_pipelines.capture.writers.rows import (
    columns_of,
    delete_rows,
    differences,
    insert_rows,
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


class EdgeSource(NamedTuple):
    """What an observation states about an edge; the key is (observation, subject, object, type)."""

    subject_id: int | None
    object_id: int | None
    confidence: float
    method: str
    evidence: str | None


def write_edges(
    conn: Connection,
    facts: Mapping[int, Fact],
    earlier_ids: Sequence[int],
    written: WrittenMentions,
    moved: Set[int],
) -> int:
    """Writes the edges of the facts (observation id -> fact); returns the number of relationships written."""
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
    delete_rows(conn, "relationship_sources", _SOURCE_KEY, changed.removed)
    insert_rows(
        conn,
        "relationship_sources",
        (*_SOURCE_KEY, *EdgeSource._fields),
        [key + row for key, row in changed.added.items()],
    )
    touched = set(written.edges)
    for key, row in [*changed.removed.items(), *changed.added.items()]:
        if row.subject_id is not None and row.object_id is not None:
            touched.add((row.subject_id, row.object_id, key[3]))
    return _write_relationships(conn, touched)


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
        INSERT INTO lightfast.relationships
          (workspace_id, subject_id, object_id, type, confidence, method, evidence, first_seen_at,
           last_seen_at, observation_count)
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
