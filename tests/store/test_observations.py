"""The view of observations, and the queues that their triggers keep."""

from __future__ import annotations

from datetime import timedelta

from lightfast_pipelines.clustering.provisional import assign_provisional
from lightfast_pipelines.embedding.pgvector import PgVectorIndex
from lightfast_pipelines.embedding.stage import embed_pending
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
from lightfast_pipelines.inbox.requeue import requeue_days
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.tables import view_metadata
from tests.capture.deliveries import capture_all, delivery, receive, rows, workspace_with
from tests.capture.rows import START, Memory
from tests.capture.rows_read import rows_written
from tests.providers.github import payloads as github

COMMIT = "github:commit:" + "1" * 40


def _embed(conn: Connection) -> int:
    return embed_pending(conn, WordLlamaEmbedder(), PgVectorIndex(conn), max_rows=10).observations


def _vectors_and_waiting(conn: Connection) -> tuple[int, int]:
    [counts] = rows(
        conn,
        """
        SELECT (SELECT count(*) FROM lightfast.observation_vectors),
               (SELECT count(*) FROM lightfast.embedding_queue)
        """,
    )
    return counts


def test_the_view_has_the_described_columns_with_their_comments(conn: Connection) -> None:
    found = rows(
        conn,
        """
        SELECT attname::text, col_description(attrelid, attnum), format_type(atttypid, atttypmod)
        FROM pg_attribute
        WHERE attrelid = 'lightfast.observations'::regclass AND attnum > 0 ORDER BY attnum
        """,
    )
    described = view_metadata.tables["lightfast.observations"].columns
    assert [(name, comment) for name, comment, _ in found] == [
        (column.name, column.comment) for column in described
    ]
    facts = dict(
        rows(
            conn,
            """
            SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute
            WHERE attrelid = 'lightfast.observation_facts'::regclass AND attnum > 0
            """,
        )
    )
    assert facts.items() <= {name: kind for name, _, kind in found}.items()


def test_a_question_about_the_facts_alone_reads_no_other_table(conn: Connection) -> None:
    plan = rows(conn, "EXPLAIN SELECT id, title FROM lightfast.observations WHERE workspace_id = 1")
    text = "\n".join(line for (line,) in plan)
    assert "observation_facts" in text
    assert "cluster_members" not in text
    assert "embedding_queue" not in text


def test_a_new_text_has_no_vectors_and_waits_and_another_score_changes_neither(
    conn: Connection,
) -> None:
    Memory(conn).observation(COMMIT, "Old")
    conn.commit()
    assert _vectors_and_waiting(conn) == (0, 1)
    assert _embed(conn) == 1
    conn.execute("UPDATE lightfast.observation_facts SET significance_score = 90")
    conn.commit()
    assert _vectors_and_waiting(conn) == (3, 0)
    conn.execute("UPDATE lightfast.observation_facts SET title = 'New'")
    conn.commit()
    assert _vectors_and_waiting(conn) == (0, 1)
    assert rows(conn, "SELECT embedding_title_id FROM lightfast.observations") == [(None,)]
    assert _embed(conn) == 1
    assert _vectors_and_waiting(conn) == (3, 0)


def test_what_is_deleted_waits_for_nothing_until_it_is_there_again(conn: Connection) -> None:
    Memory(conn).observation(COMMIT, "Change")
    conn.commit()
    assert _embed(conn) == 1
    conn.execute("UPDATE lightfast.observation_facts SET is_deleted = true")
    conn.commit()
    assert _vectors_and_waiting(conn) == (0, 0)
    assert rows(conn, "SELECT embedding_title_id FROM lightfast.observations") == [(None,)]
    conn.execute("UPDATE lightfast.observation_facts SET is_deleted = false")
    conn.commit()
    assert _vectors_and_waiting(conn) == (0, 1)
    conn.execute("DELETE FROM lightfast.observation_facts")
    conn.commit()
    assert _vectors_and_waiting(conn) == (0, 0)
    assert rows(conn, "SELECT * FROM lightfast.cluster_queue") == []


def test_a_membership_follows_the_subject_and_the_time_of_its_observation(conn: Connection) -> None:
    memory = Memory(conn)
    memory.observation(COMMIT, "Change")
    conn.commit()
    assert assign_provisional(conn, max_rows=10).observations == 1
    moved = "github:commit:" + "2" * 40
    conn.execute(
        "UPDATE lightfast.observation_facts SET subject_key = %s, occurred_at = occurred_at - interval '1 h'",
        (moved,),
    )
    conn.commit()
    assert rows(conn, "SELECT subject_key, occurred_at FROM lightfast.cluster_members") == [
        (moved, START - timedelta(hours=1))
    ]


def test_what_is_captured_again_and_is_the_same_is_not_written_again(conn: Connection) -> None:
    workspace_with(conn, "shop", 1)
    receive(conn, [delivery("issues", github.issue("opened", number)) for number in (1, 2)])
    capture_all(conn)
    before = rows_written(conn, "observation_facts")
    days = [
        day for (day,) in rows(conn, "SELECT DISTINCT partition_date FROM lightfast.raw_payloads")
    ]
    assert requeue_days(conn, days) == 2
    conn.commit()
    capture_all(conn)
    assert rows_written(conn, "observation_facts") == before
    assert rows(conn, "SELECT count(*) FROM lightfast.raw_queue") == [(0,)]
