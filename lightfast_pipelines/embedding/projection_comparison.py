"""Compares what a hosted index lists with what the tables hold, a workspace at a time, and repairs it.

What is missing is queued to be sent, what has no row is deleted. A thing with a change that waits is in
neither group. Ids go through a temporary table, so memory stays bounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import LiteralString

from lightfast_pipelines.embedding.index import HostedIndex, Tenant
from lightfast_pipelines.embedding.projection_state import name_namespaces, record_index_usage
from lightfast_pipelines.store.database import Connection

# An index lists 100 ids a request: 3,000 requests take some minutes.
MOST_IDS = 300_000
EVERY = timedelta(days=1)
_EXAMPLES = 5
_DELETED_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a workspace had: `missing` vectors were queued to be sent, `orphaned` ones were deleted."""

    workspace: str
    vectors: int
    missing: int
    orphaned: int
    examples: tuple[str, ...]


_LIST: LiteralString = """
CREATE TEMPORARY TABLE IF NOT EXISTS listed_vectors (id text COLLATE "C" PRIMARY KEY)
"""

_EXPECT: LiteralString = """
CREATE TEMPORARY TABLE expected_vectors AS
SELECT 'observations' AS layer, o.external_id AS key, 'observations#' || o.external_id || '#' || v.view AS id
FROM lightfast.observation_vectors v JOIN lightfast.observations o ON o.id = v.observation_id
WHERE v.workspace_id = %(workspace)s AND v.model = %(model)s AND NOT o.is_deleted
  AND l2_norm(v.vector) > 0
UNION ALL
SELECT layer, key, lightfast.index_id(layer, key) FROM lightfast.memory_vectors
WHERE workspace_id = %(workspace)s AND model = %(model)s AND vector_norm(vector) > 0
"""

_PENDING: LiteralString = """
CREATE TEMPORARY TABLE pending_vectors AS
SELECT DISTINCT layer, key, CASE WHEN layer = 'observations' THEN 'observations#' || key
                                 ELSE lightfast.index_id(layer, key) END AS id
FROM lightfast.index_changes WHERE workspace_id = %(workspace)s
"""

_MISSING: LiteralString = """
CREATE TEMPORARY TABLE missing_vectors AS
SELECT e.layer, e.key, e.id FROM expected_vectors e
WHERE NOT EXISTS (SELECT FROM listed_vectors l WHERE l.id = e.id)
  AND NOT EXISTS (SELECT FROM pending_vectors p WHERE (p.layer, p.key) = (e.layer, e.key))
"""

_ORPHANED: LiteralString = """
CREATE TEMPORARY TABLE orphaned_vectors AS
SELECT l.id FROM listed_vectors l
WHERE NOT EXISTS (SELECT FROM expected_vectors e WHERE e.id = l.id)
  AND NOT EXISTS (
    SELECT FROM pending_vectors p
    WHERE p.id = CASE WHEN starts_with(l.id, 'observations#')
                      THEN 'observations#' || split_part(l.id, '#', 2) ELSE l.id END)
"""

_TABLES = ("expected_vectors", "pending_vectors", "missing_vectors", "orphaned_vectors")


def workspaces_to_compare(conn: Connection, now: datetime) -> list[Tenant]:
    """Those that have or had vectors and were not compared for a day, the longest ago first."""
    rows = conn.execute(
        """
        SELECT w.id, w.org_id, w.slug
        FROM lightfast.workspaces w
        LEFT JOIN lightfast.hosted_namespaces n ON n.workspace_id = w.id
        WHERE (n.compared_at IS NULL OR n.compared_at < %s)
          AND (n.namespace IS NOT NULL
               OR EXISTS (SELECT FROM lightfast.observations o WHERE o.workspace_id = w.id))
        ORDER BY n.compared_at NULLS FIRST, w.id
        """,
        (now - EVERY,),
    )
    return [Tenant(*row) for row in rows]


def compare(
    conn: Connection,
    index: HostedIndex,
    model: str,
    tenants: Sequence[Tenant],
    *,
    now: datetime,
    most_ids: int = MOST_IDS,
) -> list[Comparison]:
    """Compares these workspaces until about `most_ids` ids are listed; the others have their turn later.

    The caller holds the job lock `index`, so that nothing is sent meanwhile. Raises IndexAway and
    IndexUnusable; the workspaces that are done by then stay done.
    """
    comparisons: list[Comparison] = []
    listed = 0
    try:
        for tenant in tenants:
            if listed >= most_ids:
                break
            comparison = _compare(conn, index, model, tenant, now)
            comparisons.append(comparison)
            listed += comparison.vectors
    finally:
        conn.rollback()
        record_index_usage(conn, index, now)
        conn.commit()
    return comparisons


def _compare(
    conn: Connection, index: HostedIndex, model: str, tenant: Tenant, now: datetime
) -> Comparison:
    name_namespaces(conn, index, [tenant])
    _list_ids(conn, index, tenant)
    parameters = {"workspace": tenant.workspace_id, "model": model}
    for table in _TABLES:
        conn.execute(f"DROP TABLE IF EXISTS pg_temp.{table}")
    for query in (_EXPECT, _PENDING):
        conn.execute(query, parameters)
    conn.execute("ANALYZE listed_vectors")
    conn.execute("ANALYZE expected_vectors")
    for query in (_MISSING, _ORPHANED):
        conn.execute(query)
    listed, missing, orphaned = (
        _count(conn, table) for table in ("listed_vectors", "missing_vectors", "orphaned_vectors")
    )
    examples = conn.execute(
        """
        (SELECT 'missing ' || id FROM missing_vectors ORDER BY 1 LIMIT %(shown)s)
        UNION ALL (SELECT 'orphaned ' || id FROM orphaned_vectors ORDER BY 1 LIMIT %(shown)s)
        """,
        {"shown": _EXAMPLES},
    ).fetchall()
    comparison = Comparison(
        workspace=f"{tenant.org_id}/{tenant.slug}",
        vectors=listed,
        missing=missing,
        orphaned=orphaned,
        examples=tuple(example for (example,) in examples),
    )
    conn.execute(
        """
        INSERT INTO lightfast.index_changes (workspace_id, layer, key)
        SELECT DISTINCT %s::bigint, layer, key FROM missing_vectors
        """,
        (tenant.workspace_id,),
    )
    conn.execute(
        """
        UPDATE lightfast.hosted_namespaces SET compared_at = %s, vectors = %s, missing = %s,
          orphaned = %s, examples = %s WHERE workspace_id = %s
        """,
        (now, listed, missing, orphaned, list(comparison.examples), tenant.workspace_id),
    )
    conn.commit()
    _delete_orphans(conn, index, tenant)
    return comparison


def _list_ids(conn: Connection, index: HostedIndex, tenant: Tenant) -> None:
    """Commits each page, as a transaction must not stay open while the index is asked."""
    conn.execute(_LIST)
    conn.execute("TRUNCATE listed_vectors")
    conn.commit()
    for page in index.ids(tenant):
        conn.execute(
            "INSERT INTO listed_vectors SELECT unnest(%s::text[]) ON CONFLICT DO NOTHING", (page,)
        )
        conn.commit()


def _delete_orphans(conn: Connection, index: HostedIndex, tenant: Tenant) -> None:
    """Killed here, the rest is found by the next comparison."""
    while True:
        rows = conn.execute(
            """
            DELETE FROM orphaned_vectors WHERE id IN (SELECT id FROM orphaned_vectors LIMIT %s)
            RETURNING id
            """,
            (_DELETED_AT_ONCE,),
        ).fetchall()
        conn.commit()
        if not rows:
            return
        index.delete(tenant, [identifier for (identifier,) in rows])


def _count(conn: Connection, table: str) -> int:
    row = conn.execute(f"SELECT count(*) FROM pg_temp.{table}").fetchone()
    assert row is not None
    return int(row[0])
