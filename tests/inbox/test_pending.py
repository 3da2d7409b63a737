"""What waits, by day and stage."""

from __future__ import annotations

from datetime import UTC, date, datetime

from lightfast_pipelines.capture.queue.batches import capture
from lightfast_pipelines.embedding.pgvector import PgVectorIndex
from lightfast_pipelines.embedding.stage import embed_pending
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
from lightfast_pipelines.inbox.pending import DayWork, days_with_work, waiting
from lightfast_pipelines.store.database import Connection
from tests.arriving import arrive, link

FIRST, SECOND = date(2024, 5, 1), date(2024, 5, 3)
NOW = datetime(2024, 6, 1, tzinfo=UTC)


def work(conn: Connection, **rules: object) -> tuple[DayWork, ...]:
    wanted = {"model": "wordllama-256", "cluster_rule_version": 1, **rules}
    return days_with_work(conn, **wanted).days  # type: ignore[arg-type]


def test_a_delivery_waits_on_its_day_and_then_its_observation_for_each_stage(
    conn: Connection,
) -> None:
    link(conn)
    arrive(conn, [FIRST, SECOND, SECOND])
    assert work(conn) == (DayWork(FIRST, 1), DayWork(SECOND, 2))
    capture(conn, days=None, max_rows=10, batch_rows=10, now=NOW)
    assert work(conn) == (
        DayWork(FIRST, unembedded=1, unclustered=1),
        DayWork(SECOND, unembedded=2, unclustered=2),
    )
    embed_pending(conn, WordLlamaEmbedder(), PgVectorIndex(conn), max_rows=10)
    assert work(conn) == (DayWork(FIRST, unclustered=1), DayWork(SECOND, unclustered=2))
    assert waiting(conn, model="wordllama-256", cluster_rule_version=1).unembedded == 0


def test_vectors_of_another_model_are_pending_work_when_counted_exactly(conn: Connection) -> None:
    link(conn)
    arrive(conn, [FIRST])
    capture(conn, days=None, max_rows=10, batch_rows=10, now=NOW)
    embed_pending(conn, WordLlamaEmbedder(), PgVectorIndex(conn), max_rows=10)
    assert work(conn, exactly=True) == (DayWork(FIRST, unclustered=1),)
    assert work(conn, model="another", exactly=True) == (
        DayWork(FIRST, unembedded=1, unclustered=1),
    )
