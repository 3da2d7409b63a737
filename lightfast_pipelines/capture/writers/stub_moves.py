"""Moves mentions and edges to what their stub stands for now."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from lightfast_pipelines.capture.writers.stub_names import WorkspaceKey
from lightfast_pipelines.capture.writers.stub_timelines import Stub, Timeline
from lightfast_pipelines.domain.key_categories import is_candidate
from lightfast_pipelines.store.database import Connection

EdgeRow = tuple[int, int, str]
# Of a mention `m`: the alias by ids that is stated beside its key, as `stub_of` finds it.
_BESIDE = """coalesce((SELECT min(a COLLATE "C") FROM unnest(m.stated_aliases) AS a
  WHERE a ~ '^github:ref:[0-9]+(@[^#:]+)?#'), '')"""


def move(
    conn: Connection, moves: Sequence[tuple[Stub, Timeline, Timeline]]
) -> tuple[set[int], set[EdgeRow]]:
    """Moves rows stated under a stub (its timeline before and now); returns what is concerned."""
    hidden, shown, rows = [], [], []
    for (workspace, key, beside), before, now in moves:
        olds = {one.entity_id for _, one in before}
        if is_candidate(key):
            old, new = before[0][1].entity_id, now[0][1].entity_id
            if old is not None and new is None:
                hidden.append(((workspace, key), old))
            elif old is None and new is not None:
                shown.append(((workspace, key), new))
        ends: list[datetime | None] = [*(since for since, _ in now[1:]), None]
        for (since, one), until in zip(now, ends, strict=True):
            if one.entity_id is not None:
                edge = None if one.is_ambiguous else one.entity_id
                rows += [(key, beside, old, since, until, one.entity_id, edge) for old in olds]
    lost = _hide(conn, hidden)
    _show(conn, shown)
    concerned = {entity for _, entity in hidden}
    if not rows:
        return concerned, lost
    keys, besides, olds_, sinces, untils, nows, ends_of_edges = map(list, zip(*rows, strict=True))
    known = [(key, old) for key, old in zip(keys, olds_, strict=True) if old is not None]
    edges = lost | _edges_at(conn, [key for key, _ in known], [old for _, old in known])
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
        (keys, besides, olds_, sinces, untils, nows),
    )
    for end in ("subject", "object"):
        conn.execute(
            f"""
            UPDATE lightfast.relationship_sources r SET {end}_id = k.edge
            FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::bigint[])
                   AS k (key, beside, now, edge)
            JOIN lightfast.observation_entities m
              ON m.entity_id = k.now AND m.stated_key = k.key AND {_BESIDE} = k.beside
            WHERE r.observation_id = m.observation_id AND r.{end}_key = k.key
              AND r.{end}_id IS DISTINCT FROM k.edge
            """,
            (keys, besides, nows, ends_of_edges),
        )
    edges |= _edges_at(conn, keys, nows)
    apart = [(old, now) for old, now in zip(olds_, nows, strict=True) if old != now]
    return concerned | {one for pair in apart for one in pair if one is not None}, edges


_MENTION = (
    "observation_id, role, stated_key, evidence, confidence, extractor, stated_value, stated_url,"
    " stated_aliases"
)


def _show(conn: Connection, claimed: Sequence[tuple[WorkspaceKey, int]]) -> None:
    """Mentions of candidates that a thing claims now become mentions of the thing."""
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
            (
                [workspace for (workspace, _), _ in claimed],
                [key for (_, key), _ in claimed],
                [now for _, now in claimed],
            ),
        )


def _hide(conn: Connection, unclaimed: Sequence[tuple[WorkspaceKey, int]]) -> set[EdgeRow]:
    """Mentions of candidates (candidate, entity before) that no single thing claims any more wait
    again; returns the edges that they were an end of."""
    if not unclaimed:
        return set()
    keys, entities = [key for (_, key), _ in unclaimed], [entity for _, entity in unclaimed]
    edges = _edges_at(conn, keys, entities)
    for end in ("subject", "object"):
        conn.execute(
            f"""
            UPDATE lightfast.relationship_sources r SET {end}_id = NULL
            FROM unnest(%s::text[], %s::bigint[]) AS k (key, entity_id)
            JOIN lightfast.observation_entities m
              ON m.entity_id = k.entity_id AND m.stated_key = k.key
            WHERE r.observation_id = m.observation_id AND r.{end}_key = k.key
            """,
            (keys, entities),
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
        ([workspace for (workspace, _), _ in unclaimed], keys, entities),
    )
    return edges


def _edges_at(conn: Connection, keys: Sequence[str], entities: Sequence[int]) -> set[EdgeRow]:
    """Edges that are stated with one of these stubs, as they are resolved at the moment."""
    rows = conn.execute(
        """
        SELECT DISTINCT r.subject_id, r.object_id, r.type
        FROM unnest(%s::text[], %s::bigint[]) AS k (key, entity_id)
        JOIN lightfast.observation_entities m ON m.entity_id = k.entity_id AND m.stated_key = k.key
        JOIN lightfast.relationship_sources r ON r.observation_id = m.observation_id
         AND (r.subject_key = k.key OR r.object_key = k.key)
        WHERE r.subject_id IS NOT NULL AND r.object_id IS NOT NULL
        """,
        (list(keys), list(entities)),
    )
    return {(subject, object_, kind) for subject, object_, kind in rows}
