"""The embedding stage against a real Postgres: what is pending, what is not, and where it stops."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date

import numpy as np
import pytest
from numpy.typing import NDArray

from lightfast_pipelines.domain.views import view_texts
from lightfast_pipelines.embedding import stage as embedding
from lightfast_pipelines.embedding.pgvector import PgVectorIndex
from lightfast_pipelines.embedding.stage import EmbeddingReport, embed_pending
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.hosted_vectors import catch_up
from tests.capture.rows import START, Memory


def _embed(
    conn: Connection, *, days: list[date] | None = None, most: int = 1000
) -> EmbeddingReport:
    return embed_pending(conn, WordLlamaEmbedder(), PgVectorIndex(conn), days=days, max_rows=most)


def test_every_observation_gets_three_named_views_once(
    conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding, "BATCH_OBSERVATIONS", 2)
    memory = Memory(conn)
    for number in range(5):
        memory.observation(
            f"github:commit:{number:040}", f"Change {number}", content="Why" * number
        )
    batches: list[int] = []
    report = embed_pending(
        conn,
        WordLlamaEmbedder(),
        PgVectorIndex(conn),
        max_rows=100,
        progress=batches.append,
    )
    assert (report.observations, report.vectors, batches) == (5, 15, [2, 2, 1])
    assert report.days == {START.date(): 5}
    assert _embed(conn).observations == 0
    row = conn.execute(
        """
        SELECT bool_and(embedding_title_id = external_id || ':title'
                    AND embedding_content_id = external_id || ':content'
                    AND embedding_summary_id = external_id || ':summary') FROM lightfast.observations
        """
    ).fetchone()
    assert row == (True,)


def test_only_the_given_days_are_embedded_and_an_observation_belongs_to_its_earliest_day(
    conn: Connection,
) -> None:
    memory = Memory(conn)
    first, second = date(2024, 5, 1), date(2024, 5, 2)
    early = memory.observation("github:commit:" + "1" * 40, "One", day=first)
    memory.observation("github:commit:" + "2" * 40, "Two", day=second)
    # The first is stated again a day later: it still belongs to the day before.
    conn.execute(
        """
        INSERT INTO lightfast.observation_sources
        SELECT %s, max(raw_payload_id) FROM lightfast.observation_sources
        """,
        (early,),
    )
    assert _embed(conn, days=[second]).days == {second: 1}
    assert _embed(conn, days=[second]).days == {}
    assert _embed(conn, days=[first]).days == {first: 1}


def test_a_bounded_run_leaves_the_rest_and_another_model_makes_all_pending(
    conn: Connection,
) -> None:
    memory = Memory(conn)
    for number in range(3):
        memory.observation(f"github:commit:{number:040}", f"Change {number}")
    assert _embed(conn, most=2).observations == 2
    assert _embed(conn, most=2).observations == 1

    class Another(WordLlamaEmbedder):
        name = "another"

    report = embed_pending(conn, Another(), PgVectorIndex(conn), max_rows=10)
    assert report.observations == 3


def test_a_newer_rule_for_the_texts_makes_all_vectors_again_also_the_hosted_ones(
    conn: Connection,
) -> None:
    memory = Memory(conn)
    for number in range(3):
        memory.observation(f"github:commit:{number:040}", f"Change {number}")
    catch_up(conn, "hosted-256")
    _embed(conn)
    conn.execute(
        """
        INSERT INTO lightfast.observation_vectors
        SELECT observation_id, view, 'hosted-256', rule_version, workspace_id, vector
        FROM lightfast.observation_vectors
        """
    )
    conn.execute("DELETE FROM lightfast.hosted_embedding_queue")
    assert _embed(conn).observations == 0
    # As if the vectors had been made by an older release.
    conn.execute("UPDATE lightfast.observation_vectors SET rule_version = rule_version - 1")
    assert _embed(conn).observations == 3
    assert _embed(conn).observations == 0
    waiting = conn.execute("SELECT count(*) FROM lightfast.hosted_embedding_queue").fetchone()
    assert waiting == (3,)


def test_an_observation_that_another_transaction_holds_stays_pending(
    conn: Connection, database: object
) -> None:
    from lightfast_pipelines.store.database import Database

    assert isinstance(database, Database)
    memory = Memory(conn)
    held = memory.observation("github:commit:" + "1" * 40, "Old title")
    memory.observation("github:commit:" + "2" * 40, "Two")
    conn.commit()
    with database.connect() as capture:
        capture.execute(
            "UPDATE lightfast.observation_facts SET title = 'New' WHERE id = %s", (held,)
        )
        # Fails at once instead of waiting for the other transaction, which waits for us.
        conn.execute("SET lock_timeout = '2s'")
        assert _embed(conn).observations == 1
    assert _embed(conn).observations == 1


def test_a_text_that_changes_between_two_attempts_gets_the_vectors_of_the_new_text(
    conn: Connection, database: Database
) -> None:
    memory = Memory(conn)
    memory.observation("github:commit:" + "1" * 40, "One")
    _embed(conn)
    changed = memory.observation("github:commit:" + "2" * 40, "Old title")
    conn.commit()

    class FailsOnce(WordLlamaEmbedder):
        failed = False

        def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
            if "Old title" in texts and not self.failed:
                self.failed = True
                raise RuntimeError("the model is broken")
            if self.failed:
                # Capture gets the row as soon as the failed attempt has let go of it.
                with database.connect() as capture:
                    capture.execute(
                        "UPDATE lightfast.observation_facts SET title = 'New' WHERE title = 'Old title'"
                    )
            return super().embed(texts)

    embedder = FailsOnce()
    assert embed_pending(conn, embedder, PgVectorIndex(conn), max_rows=9).observations == 1
    [(stored,)] = conn.execute(
        "SELECT vector::text FROM lightfast.observation_vectors WHERE view = 'title' AND observation_id = %s",
        (changed,),
    ).fetchall()
    [new] = WordLlamaEmbedder().embed(["New"])
    assert np.asarray(json.loads(stored)) @ new > 0.99


def test_the_title_takes_the_place_of_empty_content() -> None:
    assert view_texts("T", " \n") == ("T", "T", "T")
    assert view_texts("T", "c" * 2000) == ("T", "c" * 2000, "T\n\n" + "c" * 1000)
