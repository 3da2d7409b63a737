"""Approximate indexes (HNSW) of the vectors of large workspaces: which exist, and which should.

Below 50,000 vectors a scan of the workspace's rows is exact and takes some milliseconds. An index makes
each insert many times more expensive, so only a large workspace has one, of its own, for each model.
The nightly upkeep makes them, or `lightfast db index-vectors`: that takes the owner's login.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from psycopg import sql

from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.locks import job_lock
from lightfast_pipelines.store.requirements import EXTENSION_SCHEMAS

INDEXED_FROM = 50_000
"""Vectors of a workspace and model from which they get an index."""
_KEPT_FROM = 40_000
_PREFIX = "hnsw_"
# A graph that fits is built several times faster; 200,000 vectors of 256 dimensions take 250 MB.
_MEMORY = "512MB"

# Of the graph. With pgvector's 16 links an insert costs half as much again, for the same recall.
_LINKS = 12
_SIGHT = 64


@dataclass(frozen=True, slots=True)
class Indexed:
    """A workspace and a model whose vectors have an index or should have one."""

    workspace_id: int
    model: str

    @property
    def name(self) -> str:
        """Made of both, so that it can be looked up: `hnsw_7_1a2b3c4d5e6f`."""
        digest = hashlib.sha256(self.model.encode()).hexdigest()[:12]
        return f"{_PREFIX}{self.workspace_id}_{digest}"


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What upkeep did: names of indexes made and dropped, and how many there are now."""

    made: tuple[str, ...]
    dropped: tuple[str, ...]
    indexes: int


def has_index(conn: Connection, workspace_id: int, model: str) -> bool:
    """Whether the vectors of this workspace and model have a complete index."""
    row = conn.execute(
        """
        SELECT i.indisvalid FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
        WHERE c.relname = %s AND c.relnamespace = to_regnamespace('lightfast')
        """,
        (Indexed(workspace_id, model).name,),
    ).fetchone()
    return bool(row and row[0])


def half_precision(dimensions: int) -> sql.SQL:
    """SQL: the column as the index holds it. Half the size, and up to 4,000 dimensions instead of 2,000."""
    return sql.SQL(f"(vector::halfvec({int(dimensions)}))")


def keep_indexes(
    owner: Connection, *, indexed_from: int = INDEXED_FROM, kept_from: int = _KEPT_FROM
) -> IndexReport:
    """Makes the indexes that are missing and drops those that are not needed, one after the other.

    `owner` has autocommit, as no other connection may build an index without locking writers out. A
    build that was ended leaves an invalid index, which is dropped and made again.
    """
    owner.execute(
        sql.SQL("SET search_path = {}").format(
            sql.SQL(", ").join(map(sql.Identifier, EXTENSION_SCHEMAS))
        )
    )
    owner.execute(f"SET maintenance_work_mem = '{_MEMORY}'".encode())
    # Parallel workers share memory by /dev/shm, of which a container has 64 MB.
    owner.execute("SET max_parallel_maintenance_workers = 0")
    owner.execute("SET statement_timeout = 0")
    with job_lock(owner, "vector_indexes", wait=False) as acquired:
        if not acquired:
            return IndexReport((), (), len(_existing(owner)))
        existing = _existing(owner)
        wanted = {
            indexed.name: (indexed, dimensions)
            for indexed, count, dimensions in _sizes(owner, kept_from)
            if count >= indexed_from or existing.get(indexed.name)
        }
        dropped = [name for name, valid in existing.items() if name not in wanted or not valid]
        for name in dropped:
            owner.execute(
                sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(
                    sql.Identifier("lightfast", name)
                )
            )
        made = [name for name in wanted if not existing.get(name)]
        for name in made:
            _make(owner, *wanted[name])
        return IndexReport(tuple(made), tuple(dropped), len(wanted))


def _existing(conn: Connection) -> dict[str, bool]:
    """Name of each index -> whether it is complete."""
    rows = conn.execute(
        """
        SELECT c.relname, i.indisvalid FROM pg_catalog.pg_index i
        JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
        WHERE i.indrelid = 'lightfast.observation_vectors'::regclass AND starts_with(c.relname, %s)
        ORDER BY 1
        """,
        (_PREFIX,),
    )
    return dict(rows.fetchall())


def _sizes(conn: Connection, least: int) -> list[tuple[Indexed, int, int]]:
    """(workspace and model, number of vectors, dimensions) of those with at least so many vectors."""
    rows = conn.execute(
        """
        SELECT workspace_id, model, vectors, (
          SELECT vector_dims(v.vector) FROM lightfast.observation_vectors v
          WHERE v.workspace_id = s.workspace_id AND v.model = s.model LIMIT 1)
        FROM (
          SELECT workspace_id, model, count(*) AS vectors FROM lightfast.observation_vectors
          GROUP BY 1, 2 HAVING count(*) >= %s
        ) s ORDER BY 1, 2
        """,
        (least,),
    )
    return [(Indexed(workspace, model), count, dims) for workspace, model, count, dims in rows]


def _make(owner: Connection, indexed: Indexed, dimensions: int) -> None:
    owner.execute(
        sql.SQL(
            """
            CREATE INDEX CONCURRENTLY {name} ON lightfast.observation_vectors
            USING hnsw ({column} halfvec_cosine_ops) WITH (m = {links}, ef_construction = {sight})
            WHERE workspace_id = {workspace} AND model = {model}
            """
        ).format(
            name=sql.Identifier(indexed.name),
            column=half_precision(dimensions),
            links=sql.Literal(_LINKS),
            sight=sql.Literal(_SIGHT),
            workspace=sql.Literal(indexed.workspace_id),
            model=sql.Literal(indexed.model),
        )
    )
