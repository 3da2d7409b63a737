"""Summaries as rows: for clusters that need one, and again only when their members have changed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from lightfast_pipelines.clustering.consolidation import consolidate
from lightfast_pipelines.clustering.provisional import assign_provisional
from lightfast_pipelines.clustering.summaries import (
    SummaryReport,
    summarize_clusters,
    workspaces_due,
)
from lightfast_pipelines.clustering.summary_evidence import sentences_without_support
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
from lightfast_pipelines.store.checks import Breach
from lightfast_pipelines.store.database import Connection
from tests.capture.rows import Memory, hours

NOW = datetime(2024, 6, 1, tzinfo=UTC)
LATER = datetime(2024, 6, 2, tzinfo=UTC)
PULL = "github:pr:1#1"


@pytest.fixture
def memory(conn: Connection) -> Memory:
    return Memory(conn)


def commits(memory: Memory, first: int, count: int) -> list[int]:
    """Commits of one pull request, so that they are one cluster whatever they say."""
    ann = memory.identity("github", "ann", source_username="ann", kind="person")
    made = []
    for number in range(first, first + count):
        key = f"github:commit:{number:040}"
        made.append(
            memory.observation(
                key, f"Retry the payment, step {number}", at=hours(number), author=ann
            )
        )
        memory.edge(PULL, "contains", key)
    return made


def update(memory: Memory, *, now: datetime = NOW, force: bool = False) -> SummaryReport:
    """Does what the schedules do: decides the clusters again, then writes their summaries."""
    memory.touch()
    memory.conn.commit()
    consolidate(memory.conn, WordLlamaEmbedder(), now=now)
    return summarize_clusters(memory.conn, now=now, force=force)


def summaries(conn: Connection) -> list[dict[str, Any]]:
    rows = conn.execute(
        """
        SELECT to_jsonb(c) FROM lightfast.clusters c WHERE summary IS NOT NULL
        ORDER BY first_observation_at
        """
    ).fetchall()
    conn.rollback()
    return [row for (row,) in rows]


def test_a_cluster_of_five_gets_a_summary_whose_sentences_cite_their_observations(
    conn: Connection, memory: Memory
) -> None:
    commits(memory, 0, 5)
    memory.observation("github:commit:f", "Something else", at=hours(900))
    report = update(memory)
    assert (report.workspaces, report.clusters, report.written, report.observations) == (1, 1, 1, 5)
    (row,) = summaries(conn)
    assert row["summary"].startswith(
        "5 commits by ann on 1 May 2024, about payment, retry and step."
    )
    assert row["summary"] == " ".join(each["sentence"] for each in row["summary_citations"])
    assert datetime.fromisoformat(row["summary_generated_at"]) == NOW
    retry_rows = conn.execute(
        "SELECT external_id FROM lightfast.observations WHERE title LIKE 'Retry%'"
    ).fetchall()
    ids = {identifier for (identifier,) in retry_rows}
    assert set(row["summary_citations"][0]["observations"]) == ids
    assert all(ids.issuperset(each["observations"]) for each in row["summary_citations"])


def test_a_cluster_of_four_gets_no_summary(conn: Connection, memory: Memory) -> None:
    commits(memory, 0, 4)
    assert update(memory).clusters == 0
    assert summaries(conn) == []


def test_nothing_is_summarized_again_until_clusters_are_decided_again(memory: Memory) -> None:
    commits(memory, 0, 5)
    update(memory)
    assert workspaces_due(memory.conn) == 0
    assert summarize_clusters(memory.conn, now=LATER).workspaces == 0
    # What the daily run adds provisionally waits for consolidation.
    commits(memory, 5, 5)
    memory.touch()
    memory.conn.commit()
    assign_provisional(memory.conn, max_rows=100)
    assert workspaces_due(memory.conn) == 0
    consolidate(memory.conn, WordLlamaEmbedder(), now=LATER)
    assert workspaces_due(memory.conn) == 1


def test_a_summary_is_written_again_when_a_fifth_of_its_members_changed(
    conn: Connection, memory: Memory
) -> None:
    commits(memory, 0, 10)
    update(memory)
    commits(memory, 10, 1)
    assert update(memory, now=LATER).written == 0
    commits(memory, 11, 1)
    assert update(memory, now=LATER).written == 1
    (row,) = summaries(conn)
    assert row["summary"].startswith("12 commits")
    assert datetime.fromisoformat(row["summary_generated_at"]) == LATER
    assert update(memory, now=LATER, force=True).written == 1


def test_a_summary_does_not_cite_deleted_observations(conn: Connection, memory: Memory) -> None:
    made = commits(memory, 0, 20)
    update(memory)
    (row,) = summaries(conn)
    quoted = row["summary_citations"][1]["observations"][0]
    conn.execute("DELETE FROM lightfast.observation_facts WHERE external_id = %s", (quoted,))
    assert len(made) == 20
    assert update(memory).written == 1
    (row,) = summaries(conn)
    assert quoted not in str(row["summary_citations"])


def stale_sentences(conn: Connection) -> list[int]:
    rows = conn.execute(
        "SELECT position FROM lightfast.summary_sentences WHERE is_stale ORDER BY position"
    ).fetchall()
    conn.rollback()
    return [position for (position,) in rows]


def test_sentences_are_stale_from_the_moment_that_an_observation_they_cite_is_deleted(
    conn: Connection, memory: Memory
) -> None:
    commits(memory, 0, 20)
    update(memory)
    assert stale_sentences(conn) == []
    (row,) = summaries(conn)
    quoted = row["summary_citations"][1]["observations"][0]
    conn.execute(
        "UPDATE lightfast.observation_facts SET is_deleted = true WHERE external_id = %s", (quoted,)
    )
    conn.commit()
    assert stale_sentences(conn) == [1, 2]
    assert update(memory).written == 1
    assert stale_sentences(conn) == []
    (row,) = summaries(conn)
    assert row["summary"].startswith("19 commits")
    assert quoted not in str(row["summary_citations"])


def test_a_sentence_is_stale_when_what_it_quotes_says_something_else_now(
    conn: Connection, memory: Memory
) -> None:
    commits(memory, 0, 20)
    update(memory)
    (row,) = summaries(conn)
    quoted = row["summary_citations"][1]["observations"][0]
    conn.execute(
        "UPDATE lightfast.observation_facts SET title = 'Refund the order' WHERE external_id = %s",
        (quoted,),
    )
    conn.commit()
    assert stale_sentences(conn) == [2]
    assert update(memory).written == 1
    assert stale_sentences(conn) == []


def test_a_sentence_that_its_observations_do_not_contain_is_reported(
    conn: Connection, memory: Memory
) -> None:
    commits(memory, 0, 20)
    update(memory)
    assert sentences_without_support(conn, 10) == (Breach(0, ()), 1)
    conn.execute(
        """
        UPDATE lightfast.clusters SET summary_citations =
          jsonb_set(summary_citations, '{1,sentence}', '"Retry the payment, step 99."')
        """
    )
    breach, _ = sentences_without_support(conn, 10)
    assert breach.rows == 1
    assert breach.examples[0].endswith("the cited texts do not contain '99'")


def test_a_cluster_that_shrinks_below_five_loses_its_summary(
    conn: Connection, memory: Memory
) -> None:
    made = commits(memory, 0, 5)
    update(memory)
    conn.execute("DELETE FROM lightfast.observation_facts WHERE id = %s", (made[4],))
    assert update(memory).removed == 1
    assert summaries(conn) == []
