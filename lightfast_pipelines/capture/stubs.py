"""What a reference by alias stands for: the one thing that answers to it, or a stub until one does.

Resolution is a function of the set of claims and references, so it comes out the same in any order;
when a claim arrives later, mentions and edges that waited move to the thing. A candidate has no stub:
while nothing claims its name, its mentions wait in candidate_mentions and its edges have no end.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lightfast_pipelines.domain.identifiers import names_of_branch
from lightfast_pipelines.domain.keys import category_of, is_candidate
from lightfast_pipelines.store.database import Connection

WorkspaceKey = tuple[int, str]
Edge = tuple[int, int, str]

_BRANCH = "candidate:branch:"
_SHA_PREFIX = "github:ref:sha:"
_BY_ID = re.compile(r"^[a-z]+:ref:\d+[#:]")


@dataclass(frozen=True, slots=True)
class Standing:
    """What a stub stands for now; nothing at all for a candidate that no single thing claims."""

    entity_id: int | None
    is_ambiguous: bool


@dataclass(frozen=True, slots=True)
class Resolved:
    """The stubs after resolution; entities and edges (subject, object, type) that rows left or joined."""

    standing: Mapping[WorkspaceKey, Standing]
    entities: frozenset[int]
    edges: frozenset[Edge]


def choose(
    claimants: Mapping[str, Iterable[int]], key: str | None = None
) -> tuple[int | None, bool]:
    """(entity or None, ambiguous) from alias -> entities that claim it, for the stub `key`.

    An alias made of ids is believed before one made of names, which can be renamed and reused. Of what
    a branch may mean, the issue that proposed it comes first, then the identifiers in their order.
    """
    if key is not None and key.startswith(_BRANCH):
        names = names_of_branch(key[len(_BRANCH) :])
        claimants = next(({name: claimants[name]} for name in names if name in claimants), {})
    by_id = {one for alias, ones in claimants.items() if _BY_ID.match(alias) for one in ones}
    if len(by_id) == 1:
        return next(iter(by_id)), False
    every = by_id or {one for ones in claimants.values() for one in ones}
    if len(every) == 1:
        return next(iter(every)), False
    return None, len(every) > 1


def _names_in(key: str) -> Iterable[str]:
    return names_of_branch(key[len(_BRANCH) :]) if key.startswith(_BRANCH) else ()


def add_lookups(conn: Connection, lookups: Mapping[WorkspaceKey, Iterable[str]]) -> None:
    """Records under which aliases each stub can be found: its own key and those stated with it; a
    branch's, those that its name holds."""
    rows = sorted(
        {
            (workspace, alias, key)
            for (workspace, key), aliases in lookups.items()
            for alias in (key, *aliases, *_names_in(key))
        }
    )
    if rows:
        conn.execute(
            """
            INSERT INTO lightfast.entity_lookups (workspace_id, alias, stub_key)
            SELECT * FROM unnest(%s::bigint[], %s::text[], %s::text[]) ON CONFLICT DO NOTHING
            """,
            [list(column) for column in zip(*rows, strict=True)],
        )


def add_claims(
    conn: Connection, claims: Mapping[tuple[int, int], Iterable[str]]
) -> set[WorkspaceKey]:
    """Records the aliases that entities claim ((workspace, entity) -> aliases).

    Returns the stubs that may stand for something else now.
    """
    rows = sorted({(w, a, entity) for (w, entity), aliases in claims.items() for a in aliases})
    if not rows:
        return set()
    found = conn.execute(
        """
        WITH claimed AS (
          INSERT INTO lightfast.entity_aliases (workspace_id, alias, entity_id)
          SELECT * FROM unnest(%s::bigint[], %s::text[], %s::bigint[]) ON CONFLICT DO NOTHING
          RETURNING workspace_id, alias
        )
        SELECT DISTINCT l.workspace_id, l.stub_key
        FROM claimed c JOIN lightfast.entity_lookups l USING (workspace_id, alias)
        """,
        [list(column) for column in zip(*rows, strict=True)],
    )
    return {(workspace, key) for workspace, key in found}


def stubs_of_commits(conn: Connection, commits: Sequence[WorkspaceKey]) -> set[WorkspaceKey]:
    """Short-sha stubs that one of these commits (workspace, sha) may answer to."""
    if not commits:
        return set()
    rows = conn.execute(
        """
        SELECT DISTINCT s.workspace_id, s.key
        FROM unnest(%s::bigint[], %s::text[]) AS c (workspace_id, sha)
        JOIN lightfast.entity_stubs s
          ON s.workspace_id = c.workspace_id AND s.key LIKE 'github:ref:sha:%%'
         AND substr(s.key, 16, 7) = left(c.sha, 7) AND starts_with(c.sha, substr(s.key, 16))
        """,
        ([w for w, _ in commits], [sha for _, sha in commits]),
    )
    return {(workspace, key) for workspace, key in rows}


def resolve(conn: Connection, stubs: Iterable[WorkspaceKey]) -> Resolved:
    """Decides anew what these stubs stand for, and moves mentions and edges where it changed."""
    wanted = sorted(set(stubs))
    if not wanted:
        return Resolved({}, frozenset(), frozenset())
    columns = ([w for w, _ in wanted], [key for _, key in wanted])
    claims = _claimants(conn, columns)
    chosen = {stub: choose(claims.get(stub, {}), stub[1]) for stub in wanted}
    waiting = [stub for stub in wanted if chosen[stub][0] is None and not is_candidate(stub[1])]
    own, made = _ensure_stub_entities(conn, waiting)
    before = {
        (w, key): entity
        for w, key, entity in conn.execute(
            """
            SELECT s.workspace_id, s.key, s.entity_id
            FROM unnest(%s::bigint[], %s::text[]) AS k (workspace_id, key)
            JOIN lightfast.entity_stubs s USING (workspace_id, key)
            """,
            columns,
        )
    }
    standing: dict[WorkspaceKey, Standing] = {}
    for stub, (entity, ambiguous) in chosen.items():
        standing[stub] = Standing(own.get(stub) if entity is None else entity, ambiguous)
    conn.execute(
        """
        INSERT INTO lightfast.entity_stubs (workspace_id, key, entity_id, is_ambiguous)
        SELECT * FROM unnest(%s::bigint[], %s::text[], %s::bigint[], %s::boolean[])
        ON CONFLICT (workspace_id, key) DO UPDATE
        SET entity_id = excluded.entity_id, is_ambiguous = excluded.is_ambiguous
        WHERE (entity_stubs.entity_id, entity_stubs.is_ambiguous)
          IS DISTINCT FROM (excluded.entity_id, excluded.is_ambiguous)
        """,
        (
            *columns,
            [standing[stub].entity_id for stub in wanted],
            [standing[stub].is_ambiguous for stub in wanted],
        ),
    )
    moves = [(stub, before[stub], standing[stub]) for stub in wanted if stub in before]
    entities, edges = _move(conn, moves)
    return Resolved(standing, frozenset(entities | made), frozenset(edges))


def _claimants(
    conn: Connection, columns: tuple[list[int], list[str]]
) -> dict[WorkspaceKey, dict[str, list[int]]]:
    rows = conn.execute(
        """
        SELECT k.workspace_id, k.key, l.alias, array_agg(a.entity_id)
        FROM unnest(%s::bigint[], %s::text[]) AS k (workspace_id, key)
        JOIN lightfast.entity_lookups l ON l.workspace_id = k.workspace_id AND l.stub_key = k.key
        JOIN lightfast.entity_aliases a ON a.workspace_id = l.workspace_id AND a.alias = l.alias
        GROUP BY 1, 2, 3
        """,
        columns,
    ).fetchall()
    claims: dict[WorkspaceKey, dict[str, list[int]]] = {}
    for workspace, key, alias, entities in rows:
        claims.setdefault((workspace, key), {})[alias] = entities
    shas = [(w, key) for w, key in zip(*columns, strict=True) if key.startswith(_SHA_PREFIX)]
    if shas:
        rows = conn.execute(
            """
            SELECT k.workspace_id, k.key, array_agg(e.id)
            FROM unnest(%s::bigint[], %s::text[]) AS k (workspace_id, key)
            JOIN lightfast.entities e ON e.workspace_id = k.workspace_id
             AND e.key >= 'github:commit:' || substr(k.key, 16)
             AND e.key < 'github:commit:' || substr(k.key, 16) || 'g'
            GROUP BY 1, 2
            """,
            ([w for w, _ in shas], [key for _, key in shas]),
        ).fetchall()
        for workspace, key, entities in rows:
            claims.setdefault((workspace, key), {})[key] = entities
    return claims


def _ensure_stub_entities(
    conn: Connection, stubs: Sequence[WorkspaceKey]
) -> tuple[dict[WorkspaceKey, int], set[int]]:
    """(stub -> its own entity, the entities made now); numbers of a new one are filled in later."""
    if not stubs:
        return {}, set()
    columns = (
        [w for w, _ in stubs],
        [key for _, key in stubs],
        [category_of(key) for _, key in stubs],
    )
    made = conn.execute(
        """
        INSERT INTO lightfast.entities
          (workspace_id, key, category, confidence, first_seen_at, last_seen_at, occurrence_count, is_stub)
        SELECT k.*, 0, now(), now(), 0, true
        FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS k
        ON CONFLICT (workspace_id, key) DO NOTHING RETURNING id
        """,
        columns,
    ).fetchall()
    rows = conn.execute(
        """
        SELECT e.workspace_id, e.key, e.id
        FROM unnest(%s::bigint[], %s::text[]) AS k (workspace_id, key)
        JOIN lightfast.entities e USING (workspace_id, key)
        """,
        columns[:2],
    )
    own = {(workspace, key): identifier for workspace, key, identifier in rows}
    return own, {row[0] for row in made}


def _move(
    conn: Connection, moves: Sequence[tuple[WorkspaceKey, int | None, Standing]]
) -> tuple[set[int], set[Edge]]:
    """Moves rows stated under a stub (stub, entity before, standing now); returns what is concerned."""
    hidden = [(stub, old) for stub, old, now in moves if old is not None and now.entity_id is None]
    lost = _hide(conn, hidden)
    _show(conn, [(s, now) for s, old, now in moves if old is None and now.entity_id is not None])
    standing = [(stub[1], old, now) for stub, old, now in moves if now.entity_id is not None]
    if not standing:
        return {entity for _, entity in hidden}, lost
    keys = [key for key, _, _ in standing]
    ids = [now.entity_id for _, _, now in standing if now.entity_id is not None]
    known = [(key, old) for key, old, _ in standing if old is not None]
    edges = lost | _edges_at(conn, [key for key, _ in known], [old for _, old in known])
    conn.execute(
        """
        UPDATE lightfast.observation_entities m SET entity_id = k.now
        FROM unnest(%s::text[], %s::bigint[], %s::bigint[]) AS k (key, old, now)
        WHERE m.entity_id = k.old AND m.stated_key = k.key AND k.old <> k.now
        """,
        (keys, [old for _, old, _ in standing], ids),
    )
    ends = [None if now.is_ambiguous else now.entity_id for _, _, now in standing]
    for end in ("subject", "object"):
        conn.execute(
            f"""
            UPDATE lightfast.relationship_sources r SET {end}_id = k.edge
            FROM unnest(%s::text[], %s::bigint[], %s::bigint[]) AS k (key, now, edge)
            JOIN lightfast.observation_entities m ON m.entity_id = k.now AND m.stated_key = k.key
            WHERE r.observation_id = m.observation_id AND r.{end}_key = k.key
              AND r.{end}_id IS DISTINCT FROM k.edge
            """,
            (keys, ids, ends),
        )
    edges |= _edges_at(conn, keys, ids)
    apart = {(old, now.entity_id) for _, old, now in standing if old != now.entity_id}
    apart |= {(entity, None) for _, entity in hidden}
    return {entity for pair in apart for entity in pair if entity is not None}, edges


_MENTION = (
    "observation_id, role, stated_key, evidence, confidence, extractor, stated_value, stated_url,"
    " stated_aliases"
)


def _show(conn: Connection, claimed: Sequence[tuple[WorkspaceKey, Standing]]) -> None:
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
                [now.entity_id for _, now in claimed],
            ),
        )


def _hide(conn: Connection, unclaimed: Sequence[tuple[WorkspaceKey, int]]) -> set[Edge]:
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


def _edges_at(conn: Connection, keys: Sequence[str], entities: Sequence[int]) -> set[Edge]:
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
