"""Indexes of large workspaces: when there is one, what a search by it finds, and what a kill leaves."""

from __future__ import annotations

import numpy as np
import psycopg
import pytest
from numpy.typing import NDArray

from lightfast_pipelines.embedding.index import VIEWS, Vectors, View
from lightfast_pipelines.embedding.pgvector import PgVectorIndex
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.vector_indexes import (
    Indexed,
    IndexReport,
    has_index,
    keep_indexes,
)
from tests.capture.rows import Memory

MODEL = "m-16"


def _fill(memory: Memory, observations: int, seed: int = 1) -> NDArray[np.float32]:
    ids = [
        memory.observation(f"github:commit:{number:040}", "Change")
        for number in range(observations)
    ]
    vectors = np.random.default_rng(seed).normal(size=(3 * observations, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    views: list[View] = [view for view in VIEWS for _ in ids]
    batch = Vectors(MODEL, [0] * len(views), ids * 3, views, vectors)
    PgVectorIndex(memory.conn).upsert(batch)
    memory.conn.commit()
    return vectors


def _keep(database: Database, indexed_from: int = 60, kept_from: int = 30) -> IndexReport:
    with database.connect("migrator", autocommit=True) as owner:
        return keep_indexes(owner, indexed_from=indexed_from, kept_from=kept_from)


def test_only_a_large_workspace_has_an_index_and_its_searches_use_it(
    conn: Connection, database: Database
) -> None:
    large, small = Memory(conn, slug="large"), Memory(conn, slug="small")
    queries = _fill(large, 40)[:8]
    _fill(small, 5, seed=2)
    index = PgVectorIndex(conn)
    views: tuple[View | None, ...] = (None, "title", "summary")
    exact = [
        index.search(large.workspace_id, query, 5, model=MODEL, view=view)
        for query in queries
        for view in views
    ]
    # A build waits for every transaction that may still read as of before it.
    conn.rollback()
    name = Indexed(large.workspace_id, MODEL).name
    assert _keep(database) == IndexReport((name,), (), 1)
    assert _keep(database) == IndexReport((), (), 1)
    assert has_index(conn, large.workspace_id, MODEL)
    assert not has_index(conn, small.workspace_id, MODEL)
    # With so few rows Postgres would rather sort them.
    conn.execute("SET enable_sort = off")
    by_index = [
        index.search(large.workspace_id, query, 5, model=MODEL, view=view)
        for query in queries
        for view in views
    ]
    assert by_index == exact
    scans = conn.execute(
        "SELECT pg_stat_get_xact_numscans(%s::regclass)", (f"lightfast.{name}",)
    ).fetchone()
    assert scans == (len(by_index),)


def test_what_is_written_after_the_index_was_made_is_found_by_it(
    conn: Connection, database: Database
) -> None:
    memory = Memory(conn)
    _fill(memory, 30)
    _keep(database)
    added = memory.observation("github:commit:" + "f" * 40, "New")
    vector = np.zeros((1, 16), np.float32)
    vector[0, 3] = 1
    index = PgVectorIndex(conn)
    index.upsert(Vectors(MODEL, [0], [added], ["title"], vector))
    nearest = index.search(memory.workspace_id, vector[0], 1, model=MODEL)
    assert [hit.observation_id for hit in nearest] == [added]
    assert nearest[0].similarity == pytest.approx(1, abs=1e-6)


def test_the_index_of_a_workspace_that_shrank_is_dropped_but_not_at_the_first_row(
    conn: Connection, database: Database
) -> None:
    memory = Memory(conn)
    _fill(memory, 20)
    assert len(_keep(database).made) == 1
    conn.execute("DELETE FROM lightfast.observation_vectors WHERE view = 'title'")
    conn.commit()
    assert _keep(database) == IndexReport((), (), 1)
    conn.execute("DELETE FROM lightfast.observation_vectors WHERE view = 'content'")
    conn.commit()
    assert _keep(database).dropped == (Indexed(memory.workspace_id, MODEL).name,)
    assert not has_index(conn, memory.workspace_id, MODEL)


def test_a_build_that_was_ended_is_not_used_and_is_made_again(
    conn: Connection, database: Database
) -> None:
    memory = Memory(conn)
    vectors = _fill(memory, 20)
    name = Indexed(memory.workspace_id, MODEL).name
    build = f"""
        CREATE INDEX CONCURRENTLY {name} ON lightfast.observation_vectors
        USING hnsw ((vector::halfvec(16)) halfvec_cosine_ops)
        WHERE workspace_id = {memory.workspace_id} AND model = '{MODEL}'
    """
    # A writer that does not end keeps the build waiting, until it is given up.
    conn.execute("UPDATE lightfast.observation_vectors SET view = view")
    with database.connect("migrator", autocommit=True) as owner:
        owner.execute("SET search_path = lightfast, public, extensions")
        owner.execute("SET lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            owner.execute(build.encode())
    conn.rollback()
    assert not has_index(conn, memory.workspace_id, MODEL)
    nearest = PgVectorIndex(conn).search(memory.workspace_id, vectors[0], 1, model=MODEL)
    assert nearest[0].similarity == pytest.approx(1, abs=1e-6)
    conn.rollback()
    assert _keep(database) == IndexReport((name,), (name,), 1)
    assert has_index(conn, memory.workspace_id, MODEL)


def test_vectors_of_more_dimensions_than_pgvector_indexes_in_full_precision_get_an_index(
    conn: Connection, database: Database
) -> None:
    memory = Memory(conn)
    ids = [memory.observation(f"github:commit:{n:040}", "Change") for n in range(4)]
    vectors = np.eye(4, 3_072, dtype=np.float32)
    index = PgVectorIndex(conn)
    index.upsert(Vectors("large-3072", [0] * 4, ids, ["title"] * 4, vectors))
    conn.commit()
    assert _keep(database, indexed_from=4, kept_from=2).indexes == 1
    [nearest] = index.search(memory.workspace_id, vectors[2], 1, model="large-3072")
    assert nearest.observation_id == ids[2]
