"""The aliases under which stubs can be found, and those that entities claim."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from lightfast_pipelines.capture.writers.rows import columns_of
from lightfast_pipelines.domain.identifiers import names_of_branch
from lightfast_pipelines.store.database import Connection

WorkspaceKey = tuple[int, str]

_BRANCH = "candidate:branch:"
_SHA_PREFIX = "github:ref:sha:"


def _names_in(key: str) -> Iterable[str]:
    return names_of_branch(key[len(_BRANCH) :]) if key.startswith(_BRANCH) else ()


def add_lookups(conn: Connection, lookups: Mapping[WorkspaceKey, Iterable[str]]) -> None:
    """Writes the aliases under which each stub can be found: its own key, the aliases stated with it, and
    the names that a branch's name contains."""
    write_lookups(
        conn,
        {stub: {stub[1], *aliases, *_names_in(stub[1])} for stub, aliases in lookups.items()},
    )


def write_lookups(conn: Connection, lookups: Mapping[WorkspaceKey, Iterable[str]]) -> None:
    rows = sorted({(w, a, key) for (w, key), aliases in lookups.items() for a in aliases})
    if rows:
        conn.execute(
            """
            INSERT INTO lightfast.entity_lookups (workspace_id, alias, stub_key)
            SELECT * FROM unnest(%s::bigint[], %s::text[], %s::text[]) ON CONFLICT DO NOTHING
            """,
            columns_of(rows),
        )


def add_claims(
    conn: Connection, claims: Mapping[tuple[int, int], Iterable[str]]
) -> set[WorkspaceKey]:
    """Writes the aliases that entities claim, by workspace and entity.

    Returns the stubs that may now stand for something else.
    """
    rows = sorted({(w, a, entity) for (w, entity), aliases in claims.items() for a in aliases})
    if not rows:
        return set()
    stubs = conn.execute(
        """
        WITH claimed AS (
          INSERT INTO lightfast.entity_aliases (workspace_id, alias, entity_id)
          SELECT * FROM unnest(%s::bigint[], %s::text[], %s::bigint[]) ON CONFLICT DO NOTHING
          RETURNING workspace_id, alias
        )
        SELECT DISTINCT l.workspace_id, l.stub_key
        FROM claimed c JOIN lightfast.entity_lookups l
          ON l.workspace_id = c.workspace_id AND l.alias = replace(c.alias, ':ref:moved:', ':ref:')
        """,
        columns_of(rows),
    )
    return {(workspace, key) for workspace, key in stubs}


def stubs_of_commits(conn: Connection, commits: Sequence[WorkspaceKey]) -> set[WorkspaceKey]:
    """Stubs of short shas that may mean one of these commits (workspace, sha)."""
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


def load_claimants(
    conn: Connection, stubs: Iterable[WorkspaceKey]
) -> dict[WorkspaceKey, dict[str, list[int]]]:
    """Stub -> alias -> the entities that claim it."""
    keys = sorted(stubs)
    rows = conn.execute(
        """
        SELECT k.workspace_id, k.key, l.alias, array_agg(a.entity_id)
        FROM unnest(%s::bigint[], %s::text[]) AS k (workspace_id, key)
        JOIN lightfast.entity_lookups l ON l.workspace_id = k.workspace_id AND l.stub_key = k.key
        JOIN lightfast.entity_aliases a ON a.workspace_id = l.workspace_id AND a.alias = l.alias
        GROUP BY 1, 2, 3
        """,
        ([workspace for workspace, _ in keys], [key for _, key in keys]),
    ).fetchall()
    claims: dict[WorkspaceKey, dict[str, list[int]]] = {}
    for workspace, key, alias, entities in rows:
        claims.setdefault((workspace, key), {})[alias] = entities
    shas = [(w, key) for w, key in keys if key.startswith(_SHA_PREFIX)]
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
