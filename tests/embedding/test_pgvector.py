"""The index in Postgres: what goes in comes out, apart by workspace and model."""

from __future__ import annotations

import numpy as np
import pytest

from lightfast_pipelines.embedding.index import Vectors
from lightfast_pipelines.embedding.pgvector import PgVectorIndex
from lightfast_pipelines.store.database import Connection
from tests.capture.rows import Memory


def _batch(ids: list[int], vectors: np.ndarray, model: str = "m") -> Vectors:
    return Vectors(model, [1] * len(ids), ids, ["title"] * len(ids), vectors.astype(np.float32))


def test_vectors_are_read_back_in_half_precision_bit_for_bit_and_a_second_write_replaces_the_first(
    conn: Connection,
) -> None:
    memory = Memory(conn)
    observation = memory.observation("github:commit:" + "1" * 40, "One")
    vectors = np.random.default_rng(1).normal(size=(1, 256)).astype(np.float32)
    index = PgVectorIndex(conn)
    assert index.upsert(_batch([observation], vectors * 2)) == 1
    assert index.upsert(_batch([observation], vectors)) == 1
    rows = conn.execute("SELECT vector::text FROM lightfast.observation_vectors").fetchall()
    assert len(rows) == 1
    assert np.array_equal(
        np.fromstring(rows[0][0][1:-1], np.float16, sep=","), vectors[0].astype(np.float16)
    )


def test_a_search_stays_within_its_workspace_and_model(conn: Connection) -> None:
    ours, theirs = Memory(conn), Memory(conn, slug="other")
    near = ours.observation("github:commit:" + "1" * 40, "Near")
    far = ours.observation("github:commit:" + "2" * 40, "Far")
    foreign = theirs.observation("github:commit:" + "1" * 40, "Near, but another tenant's")
    axes = np.eye(256)
    index = PgVectorIndex(conn)
    index.upsert(_batch([near, far, foreign], np.stack([axes[0], axes[0] + axes[1], axes[0]])))
    index.upsert(_batch([far], axes[:1], model="another"))
    nearest = index.search(ours.workspace_id, axes[0].astype(np.float32), 5, model="m")
    assert [row.observation_id for row in nearest] == [near, far]
    assert nearest[0].similarity == pytest.approx(1)


def test_vectors_of_other_dimensions_than_the_models_stored_ones_are_refused(
    conn: Connection,
) -> None:
    observation = Memory(conn).observation("github:commit:" + "1" * 40, "One")
    index = PgVectorIndex(conn)
    index.upsert(_batch([observation], np.ones((1, 256))))
    with pytest.raises(ValueError, match="model m makes 3 dimensions, its stored vectors have 256"):
        index.upsert(_batch([observation], np.ones((1, 3))))


def test_models_of_different_dimensions_share_the_table(conn: Connection) -> None:
    memory = Memory(conn)
    observation = memory.observation("github:commit:" + "1" * 40, "One")
    index = PgVectorIndex(conn)
    index.upsert(_batch([observation], np.ones((1, 256))))
    index.upsert(_batch([observation], np.ones((1, 3)) / np.sqrt(3), model="small"))
    vector = np.ones(3, np.float32)
    [neighbour] = index.search(memory.workspace_id, vector, 5, model="small")
    assert neighbour.similarity == pytest.approx(1)


def test_a_vanished_observation_gets_no_vector(conn: Connection) -> None:
    observation = Memory(conn).observation("github:commit:" + "1" * 40, "One")
    index = PgVectorIndex(conn)
    assert index.upsert(_batch([observation, observation + 1], np.ones((2, 256)))) == 1
    assert index.upsert(_batch([], np.ones((0, 256)))) == 0


def test_an_observation_marked_as_deleted_since_the_page_was_read_gets_no_vector(
    conn: Connection,
) -> None:
    observation = Memory(conn).observation("github:commit:" + "1" * 40, "One")
    conn.execute("UPDATE lightfast.observation_facts SET is_deleted = true")
    assert PgVectorIndex(conn).upsert(_batch([observation], np.ones((1, 256)))) == 0
