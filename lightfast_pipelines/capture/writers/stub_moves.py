"""Moves mentions and edges to the entity that their stub stands for now."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from lightfast_pipelines.capture.writers.rows import columns_of
from lightfast_pipelines.capture.writers.stub_timelines import Stub, Timeline
from lightfast_pipelines.domain.key_categories import is_candidate
from lightfast_pipelines.store.database import Connection

EdgeRow = tuple[int, int, str]
"""Subject, object, type."""
_Candidate = tuple[int, str, int]
"""Workspace, key, and the entity that claims it, or did until now."""
# The alias made of ids that a mention `m` states beside its key, as `stub_of` finds it.
_BESIDE = """coalesce((SELECT min(a COLLATE "C") FROM unnest(m.stated_aliases) AS a
  WHERE a ~ '^github:ref:[0-9]+(@[^#:]+)?#'), '')"""


class _Move(NamedTuple):
    """Rows of a stub that move from one entity to another if their text was written in [since, until).

    `edge_end` is None if several entities may be meant: then no edge has this end.
    """

    key: str
    beside: str
    old: int | None
    since: datetime | None
    until: datetime | None
    new: int
    edge_end: int | None


def move_rows(
    conn: Connection, stubs: Sequence[tuple[Stub, Timeline, Timeline]]
) -> tuple[set[int], set[EdgeRow]]:
    """Moves the rows of these stubs (with their timelines before and now).

    Returns the entities and the edges that rows left or joined.
    """
    hidden, shown, moves = [], [], []
    for (workspace, key, beside), before, now in stubs:
        old_entities = {resolution.entity_id for _, resolution in before}
        if is_candidate(key):
            old, new = before[0][1].entity_id, now[0][1].entity_id
            if old is not None and new is None:
                hidden.append((workspace, key, old))
            elif old is None and new is not None:
                shown.append((workspace, key, new))
        ends: list[datetime | None] = [*(since for since, _ in now[1:]), None]
        for (since, resolution), until in zip(now, ends, strict=True):
            new = resolution.entity_id
            if new is not None:
                end = None if resolution.is_ambiguous else new
                moves += [_Move(key, beside, old, since, until, new, end) for old in old_entities]
    edges = _hide(conn, hidden)
    _show(conn, shown)
    entities = {entity for _, _, entity in hidden}
    if not moves:
        return entities, edges
    edges |= _edges_at(conn, [(move.key, move.old) for move in moves if move.old is not None])
    columns = columns_of(moves)
    conn.execute(
        f"""
        UPDATE lightfast.observation_entities m SET entity_id = k.now
        FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::timestamptz[], %s::timestamptz[],
                    %s::bigint[]) AS k (key, beside, old, since, until, now),
             lightfast.observations o
        WHERE m.entity_id = k.old AND m.stated_key = k.key AND {_BESIDE} = k.beside
          AND k.old <> k.now AND o.id = m.observation_id
          AND (k.since IS NULL OR coalesce(o.written_at, o.occurred_at) >= k.since)
          AND (k.until IS NULL OR coalesce(o.written_at, o.occurred_at) < k.until)
        """,
        columns[:6],
    )
    for end_name in ("subject", "object"):
        conn.execute(
            f"""
            UPDATE lightfast.relationship_sources r SET {end_name}_id = k.edge
            FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::bigint[])
                   AS k (key, beside, now, edge)
            JOIN lightfast.observation_entities m
              ON m.entity_id = k.now AND m.stated_key = k.key AND {_BESIDE} = k.beside
            WHERE r.observation_id = m.observation_id AND r.{end_name}_key = k.key
              AND r.{end_name}_id IS DISTINCT FROM k.edge
            """,
            [*columns[:2], *columns[5:]],
        )
    edges |= _edges_at(conn, [(move.key, move.new) for move in moves])
    for move in moves:
        if move.old != move.new:
            entities |= {move.new} if move.old is None else {move.old, move.new}
    return entities, edges


_MENTION = (
    "observation_id, role, stated_key, evidence, confidence, extractor, stated_value, stated_url,"
    " stated_aliases"
)


def _show(conn: Connection, claimed: Sequence[_Candidate]) -> None:
    """Turns the waiting mentions of candidates into mentions of the entity that claims them now."""
    if claimed:
        conn.execute(
            f"""
            WITH shown AS (
              DELETE FROM lightfast.candidate_mentions c
              USING unnest(%s::bigint[], %s::text[], %s::bigint[]) AS k (workspace_id, key, now)
              WHERE c.workspace_id = k.workspace_id AND c.stated_key = k.key
              RETURNING c.*, k.now
            )
            INSERT INTO lightfast.observation_entities (entity_id, {_MENTION})
            SELECT now, {_MENTION} FROM shown
            """,
            columns_of(claimed),
        )


def _hide(conn: Connection, unclaimed: Sequence[_Candidate]) -> set[EdgeRow]:
    """Makes the mentions of candidates wait again if no single entity claims the candidate any more.

    Returns the edges that had one of them as an end.
    """
    if not unclaimed:
        return set()
    columns = columns_of(unclaimed)
    edges = _edges_at(conn, [(key, entity) for _, key, entity in unclaimed])
    for end_name in ("subject", "object"):
        conn.execute(
            f"""
            UPDATE lightfast.relationship_sources r SET {end_name}_id = NULL
            FROM unnest(%s::text[], %s::bigint[]) AS k (key, entity_id)
            JOIN lightfast.observation_entities m
              ON m.entity_id = k.entity_id AND m.stated_key = k.key
            WHERE r.observation_id = m.observation_id AND r.{end_name}_key = k.key
            """,
            columns[1:],
        )
    conn.execute(
        f"""
        WITH hidden AS (
          DELETE FROM lightfast.observation_entities m
          USING unnest(%s::bigint[], %s::text[], %s::bigint[]) AS k (workspace_id, key, entity_id)
          WHERE m.entity_id = k.entity_id AND m.stated_key = k.key
          RETURNING m.*, k.workspace_id
        )
        INSERT INTO lightfast.candidate_mentions (workspace_id, {_MENTION})
        SELECT workspace_id, {_MENTION} FROM hidden
        """,
        columns,
    )
    return edges


def _edges_at(conn: Connection, ends: Sequence[tuple[str, int]]) -> set[EdgeRow]:
    """The edges, as currently resolved, that have one of these (stated key, entity) as an end."""
    rows = conn.execute(
        """
        SELECT DISTINCT r.subject_id, r.object_id, r.type
        FROM unnest(%s::text[], %s::bigint[]) AS k (key, entity_id)
        JOIN lightfast.observation_entities m ON m.entity_id = k.entity_id AND m.stated_key = k.key
        JOIN lightfast.relationship_sources r ON r.observation_id = m.observation_id
         AND (r.subject_key = k.key OR r.object_key = k.key)
        WHERE r.subject_id IS NOT NULL AND r.object_id IS NOT NULL
        """,
        ([key for key, _ in ends], [entity for _, entity in ends]),
    )
    return {(subject, object_, kind) for subject, object_, kind in rows}
