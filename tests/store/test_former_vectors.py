"""Vectors of a former local model go where the current one has made its own; all others stay."""

from __future__ import annotations

from collections import Counter

from lightfast_pipelines.embedding.pgvector import PgVectorIndex
from lightfast_pipelines.embedding.stage import embed_pending
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.former_vectors import delete_former_vectors
from tests.capture.rows import Memory

MODEL = WordLlamaEmbedder().name


def vectors(conn: Connection) -> Counter[str]:
    """Model -> its vectors."""
    rows = conn.execute("SELECT model FROM lightfast.observation_vectors").fetchall()
    conn.rollback()
    return Counter(row[0] for row in rows)


def copied_as(conn: Connection, model: str) -> None:
    """The same vectors once more, as if this model had made them."""
    conn.execute(
        """
        INSERT INTO lightfast.observation_vectors
          (observation_id, view, model, rule_version, workspace_id, vector)
        SELECT observation_id, view, %s, rule_version, workspace_id, vector
        FROM lightfast.observation_vectors WHERE model = %s
        """,
        (model, MODEL),
    )
    conn.commit()


def remember(conn: Connection, observations: int) -> None:
    memory = Memory(conn)
    for number in range(observations):
        memory.observation(f"github:commit:{number:040}", f"Change {number}")
    embed_pending(conn, WordLlamaEmbedder(), PgVectorIndex(conn), max_rows=100)


def test_replaced_vectors_go_by_pages_and_within_the_limit(conn: Connection) -> None:
    remember(conn, 5)
    copied_as(conn, "former-64")
    assert delete_former_vectors(conn, MODEL, at_most=3, page=2) == 9
    assert vectors(conn) == {MODEL: 15, "former-64": 6}
    assert delete_former_vectors(conn, MODEL, at_most=99, page=2) == 6
    assert vectors(conn) == {MODEL: 15}
    assert delete_former_vectors(conn, MODEL, at_most=99) == 0


def test_what_the_current_model_has_not_embedded_keeps_its_vectors(conn: Connection) -> None:
    remember(conn, 2)
    copied_as(conn, "former-64")
    conn.execute(
        "DELETE FROM lightfast.observation_vectors WHERE model = %s AND observation_id ="
        " (SELECT min(observation_id) FROM lightfast.observation_vectors)",
        (MODEL,),
    )
    conn.commit()
    assert delete_former_vectors(conn, MODEL, at_most=99) == 3
    assert vectors(conn) == {MODEL: 3, "former-64": 3}


def test_an_observation_that_capture_rewrites_is_left_to_the_next_night(
    conn: Connection, database: Database
) -> None:
    remember(conn, 2)
    copied_as(conn, "former-64")
    with database.connect("pipeline") as capturing:
        # Its trigger deletes the vectors, those of the former model too.
        capturing.execute(
            "UPDATE lightfast.observation_facts SET title = 'Retold'"
            " WHERE id = (SELECT max(id) FROM lightfast.observation_facts)"
        )
        conn.execute("SET lock_timeout = '1s'")
        assert delete_former_vectors(conn, MODEL, at_most=99) == 3
        capturing.rollback()
    assert delete_former_vectors(conn, MODEL, at_most=99) == 3
    assert vectors(conn) == {MODEL: 6}


def test_vectors_of_hosted_models_stay(conn: Connection) -> None:
    remember(conn, 1)
    copied_as(conn, "hosted-64")
    conn.execute(
        "INSERT INTO lightfast.hosted_models (model, is_current) VALUES ('hosted-64', false)"
    )
    conn.commit()
    assert delete_former_vectors(conn, MODEL, at_most=99) == 0
    assert vectors(conn) == {MODEL: 3, "hosted-64": 3}
