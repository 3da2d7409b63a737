"""Vectors and clusters of a small tenant are made before all of a large one's: counted in pages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest

from lightfast_pipelines.clustering import provisional as clustering
from lightfast_pipelines.clustering.provisional import assign_provisional
from lightfast_pipelines.embedding import stage as embedding
from lightfast_pipelines.embedding.pgvector import PgVectorIndex
from lightfast_pipelines.embedding.stage import embed_pending
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.locks import hold_clusters
from tests.capture.deliveries import one
from tests.capture.rows import Memory

PAGE = 10


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "BATCH_OBSERVATIONS", PAGE)
    monkeypatch.setattr(clustering, "BATCH_OBSERVATIONS", PAGE)


def _embed(conn: Connection, most: int) -> int:
    return embed_pending(conn, WordLlamaEmbedder(), PgVectorIndex(conn), max_rows=most).observations


def _cluster(conn: Connection, most: int) -> int:
    return assign_provisional(conn, max_rows=most).observations


STAGES = {"embedding_title_id": _embed, "cluster_id": _cluster}
Stage = Callable[[Connection, int], int]


def _observations(conn: Connection, slug: str, number: int, org_id: str = "default") -> int:
    """So many in a workspace of their own; the id of the last."""
    memory = Memory(conn, slug, org_id)
    last = 0
    for n in range(number):
        last = memory.observation(f"github:commit:{slug}{n:030}", f"Change {n} of {slug}")
    return last


def _is_done(conn: Connection, column: str, observation: int) -> bool:
    return bool(
        one(
            conn,
            f"SELECT {column} IS NOT NULL FROM lightfast.observations WHERE id = %s",
            observation,
        )
    )


@pytest.mark.parametrize("org_id", ["default", "another"])
@pytest.mark.parametrize("column", STAGES)
def test_a_small_tenants_observation_is_in_the_first_page(
    conn: Connection, column: str, org_id: str
) -> None:
    _observations(conn, "big", 60)
    single = _observations(conn, "small", 1, org_id)
    assert STAGES[column](conn, PAGE) <= PAGE
    assert _is_done(conn, column, single)
    # Nobody's work is left, whoever had the first turn.
    while STAGES[column](conn, PAGE):
        pass
    assert one(conn, f"SELECT count(*) FROM lightfast.observations WHERE {column} IS NULL") == 0


@pytest.mark.parametrize("column", STAGES)
def test_with_fifty_tenants_everybody_has_one_turn_before_anybody_has_two(
    conn: Connection, column: str
) -> None:
    for number in range(50):
        _observations(conn, f"w{number:02}", 3)
    single = _observations(conn, "small", 1)
    STAGES[column](conn, 51)
    assert _is_done(conn, column, single)


def test_a_tenants_clusters_do_not_wait_for_the_decision_about_another_tenant(
    conn: Connection, database: Database
) -> None:
    large = _observations(conn, "big", 20)
    single = _observations(conn, "small", 1)
    conn.commit()
    with database.connect() as deciding:
        row = deciding.execute("SELECT id FROM lightfast.workspaces WHERE slug = 'big'").fetchone()
        assert row is not None
        hold_clusters(deciding, row[0])
        assert _cluster(conn, 1) == 1
        assert _is_done(conn, "cluster_id", single)
    assert _cluster(conn, 100) == 20
    assert _is_done(conn, "cluster_id", large)


@pytest.mark.parametrize("column", STAGES)
def test_a_run_leaves_work_of_other_days_to_their_runs(conn: Connection, column: str) -> None:
    memory = Memory(conn, "big")
    days = [date(2024, 5, day) for day in (1, 2)]
    ids = [
        memory.observation(f"github:commit:{n:040}", "A change", day=days[n % 2]) for n in range(30)
    ]
    if column == "cluster_id":
        done = assign_provisional(conn, days=days[:1], max_rows=100).observations
    else:
        index = PgVectorIndex(conn)
        done = embed_pending(
            conn, WordLlamaEmbedder(), index, days=days[:1], max_rows=100
        ).observations
    assert done == 15
    assert [_is_done(conn, column, each) for each in ids[:2]] == [True, False]
