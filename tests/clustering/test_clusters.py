"""Provisional clusters and their consolidation, as rows in a real Postgres."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest

from lightfast_pipelines.clustering import provisional as clustering
from lightfast_pipelines.clustering.consolidation import consolidate
from lightfast_pipelines.clustering.provisional import assign_provisional
from lightfast_pipelines.embedding.pgvector import PgVectorIndex
from lightfast_pipelines.embedding.stage import embed_pending
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
from lightfast_pipelines.store.database import Connection, Database
from tests.capture.rows import Memory, hours

NOW = datetime(2024, 7, 1, tzinfo=UTC)


def sha(number: int) -> str:
    return f"github:commit:{number:040x}"


def pull(number: int) -> str:
    return f"github:pr:1#{number}"


STORY = (
    # key, title, hour, files, author
    (sha(1), "Retry deliveries that time out", 0.0, ("retry.py",), "ann"),
    (sha(2), "Test the retry of deliveries", 0.4, ("retry.py", "test_retry.py"), "ann"),
    (sha(3), "Choose a darker blue for links", 0.5, ("style.css",), "ben"),
    (sha(4), "Darker links in the footer, too", 0.9, ("style.css", "footer.css"), "ben"),
    (pull(7), "Speed up the search index", 100.0, (), "ann"),
    (sha(5), "Search index: batch the writes", 101.0, ("index.py",), "ben"),
    (sha(6), "Release notes", 900.0, ("NEWS",), "cleo"),
)
EDGES = ((pull(7), "contains", sha(5)),)


def tell(memory: Memory, order: list[int]) -> None:
    """Writes the story's observations in this order, all its edges and vectors."""
    for place in order:
        key, title, hour, files, author = STORY[place]
        memory.observation(
            key,
            title,
            at=hours(hour),
            files=files,
            author=memory.identity("git", f"{author} <{author}@x.io>", source_name=author),
        )
    for subject, kind, target in EDGES:
        memory.edge(subject, kind, target)
    memory.touch()
    memory.conn.commit()
    embed_pending(memory.conn, WordLlamaEmbedder(), PgVectorIndex(memory.conn), max_rows=1000)


def clusters(conn: Connection, *, provisional: bool = False) -> list[list[str]]:
    """Titles per cluster, sorted; every row of the three tables must agree."""
    rows = conn.execute(
        """
        SELECT m.cluster_id, o.title, o.cluster_id = m.cluster_id, m.is_provisional,
               c.observation_count = count(*) OVER (PARTITION BY c.id),
               o.occurred_at BETWEEN c.first_observation_at AND c.last_observation_at
        FROM lightfast.observations o
        JOIN lightfast.cluster_members m ON m.observation_id = o.id
        JOIN lightfast.clusters c ON c.id = m.cluster_id
        """
    ).fetchall()
    titles_by_cluster = defaultdict(list)
    for cluster, title, same, is_provisional, counted, within in rows:
        assert (same, is_provisional, counted, within) == (True, provisional, True, True)
        titles_by_cluster[cluster].append(title)
    return sorted(sorted(titles) for titles in titles_by_cluster.values())


DECIDED = sorted(
    sorted(STORY[place][1] for place in group) for group in ((0, 1), (2, 3), (4, 5), (6,))
)


def test_consolidation_finds_threads_and_stretches_of_work(conn: Connection) -> None:
    tell(Memory(conn), list(range(len(STORY))))
    report = consolidate(conn, WordLlamaEmbedder(), now=NOW)
    assert clusters(conn) == DECIDED
    assert (report.workspaces, report.observations, report.clusters) == (1, 7, 4)
    rows = conn.execute(
        """
        SELECT topic_label, status, status_reason, primary_actors FROM lightfast.clusters
        ORDER BY last_observation_at
        """
    ).fetchall()
    # Idle counts from the release notes, 33 days after the rest, not from today.
    assert [row[1:3] for row in rows] == [("closed", "idle")] * 3 + [("open", None)]
    assert rows[3] == ("Release notes", "open", None, ["git:cleo <cleo@x.io>"])
    again = consolidate(conn, WordLlamaEmbedder(), now=NOW)
    assert again.workspaces == 0
    forced = consolidate(conn, WordLlamaEmbedder(), now=NOW, force=True)
    assert (forced.moved, forced.created, forced.removed) == (0, 0, 0)


def test_any_order_of_arrival_and_of_provisional_runs_gives_the_same_clusters(
    new_database: Callable[[], Database],
) -> None:
    order = list(range(len(STORY)))
    ids = []
    for seed in range(3):
        random.Random(seed).shuffle(order)
        with new_database().connect() as conn:
            memory = Memory(conn)
            for chunk in (order[:3], order[3:]):
                tell(memory, chunk)
                assign_provisional(conn, max_rows=100)
                if seed == 1:
                    consolidate(conn, WordLlamaEmbedder(), now=NOW)
            consolidate(conn, WordLlamaEmbedder(), now=NOW)
            assert clusters(conn) == DECIDED
            rows = conn.execute(
                """
                SELECT id, topic_label, keywords, primary_entities, primary_actors, status, status_reason
                FROM lightfast.clusters ORDER BY id
                """
            ).fetchall()
            ids.append(rows)
    assert ids[0] == ids[1] == ids[2]


def test_a_thread_gets_a_provisional_cluster_of_its_own_at_once(conn: Connection) -> None:
    memory = Memory(conn)
    tell(memory, [4, 5, 6])
    report = assign_provisional(conn, max_rows=100)
    assert (report.observations, report.clusters, report.joined) == (3, 2, 0)
    assert clusters(conn, provisional=True) == [
        ["Release notes"],
        ["Search index: batch the writes", "Speed up the search index"],
    ]
    # A second commit of the pull request, two edges from the first, joins it.
    memory.observation(sha(8), "Search index: measure", at=hours(102))
    memory.edge(pull(7), "contains", sha(8))
    conn.commit()
    report = assign_provisional(conn, max_rows=100)
    assert (report.clusters, report.joined) == (0, 1)
    assert assign_provisional(conn, max_rows=100).observations == 0


def test_a_new_commit_joins_the_cluster_of_its_authors_work_on_the_same_file_that_day(
    conn: Connection,
) -> None:
    memory = Memory(conn)
    tell(memory, [0, 2])
    assign_provisional(conn, max_rows=100)
    tell(memory, [1, 3])
    report = assign_provisional(conn, max_rows=100)
    assert (report.clusters, report.joined) == (0, 2)
    assert (
        clusters(conn, provisional=True) == DECIDED[:2]
        or len(clusters(conn, provisional=True)) == 2
    )


def test_provisional_runs_stop_at_their_bound_and_take_only_their_days(
    conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clustering, "BATCH_OBSERVATIONS", 2)
    memory = Memory(conn)
    for number in range(4):
        memory.observation(sha(number), f"Change {number}", day=date(2024, 5, 1 + number % 2))
    conn.commit()
    assert assign_provisional(conn, days=[date(2024, 5, 2)], max_rows=10).days == {
        date(2024, 5, 2): 2
    }
    assert assign_provisional(conn, max_rows=1).observations == 1
    assert assign_provisional(conn, max_rows=10).observations == 1


def test_a_changed_id_becomes_an_alias_and_the_log_says_what_happened(
    conn: Connection,
) -> None:
    memory = Memory(conn)
    tell(memory, [1, 6])
    consolidate(conn, WordLlamaEmbedder(), now=NOW)
    row = conn.execute(
        "SELECT id FROM lightfast.clusters WHERE topic_label LIKE 'Test the retry%%'"
    ).fetchone()
    assert row is not None
    tell(memory, [0])
    consolidate(conn, WordLlamaEmbedder(), now=NOW)
    now_in = conn.execute(
        """
        SELECT a.cluster_id, c.observation_count FROM lightfast.cluster_aliases a
        JOIN lightfast.clusters c ON c.id = a.cluster_id WHERE a.alias_id = %s
        """,
        row,
    ).fetchone()
    assert now_in is not None
    assert now_in[1] == 2
    log = conn.execute("SELECT event, detail FROM lightfast.cluster_log ORDER BY id").fetchall()
    assert [event for event, _ in log] == [
        *("created", "created", "closed"),
        *("created", "renamed", "closed"),
    ]
    assert log[3][1] == {"observations": 2, "from": [row[0]]}
    assert log[4][1] == {"before": 1, "into": now_in[0]}
    # The earlier commit is gone again: the old id is alive, so it is no alias any more.
    conn.execute("DELETE FROM lightfast.observation_facts WHERE subject_key = %s", (sha(1),))
    memory.touch()
    consolidate(conn, WordLlamaEmbedder(), now=NOW)
    aliases = conn.execute("SELECT alias_id, cluster_id FROM lightfast.cluster_aliases").fetchall()
    assert aliases == [(now_in[0], row[0])]


def test_workspaces_are_decided_apart_and_what_changes_meanwhile_stays_due(
    conn: Connection, database: Database
) -> None:
    ours, theirs = Memory(conn), Memory(conn, slug="other", org_id="rival")
    tell(ours, [0, 1])
    tell(theirs, [0, 1])

    def meanwhile(_: int) -> None:
        with database.connect() as capture:
            capture.execute("UPDATE lightfast.consolidation_marks SET changes = changes + 1")

    consolidate(conn, WordLlamaEmbedder(), now=NOW, progress=meanwhile)
    rows = conn.execute("SELECT DISTINCT id, workspace_id FROM lightfast.clusters").fetchall()
    assert len(rows) == 2
    assert consolidate(conn, WordLlamaEmbedder(), now=NOW).workspaces == 2


def test_merging_people_makes_the_workspaces_due_in_which_they_wrote(conn: Connection) -> None:
    ours, elsewhere = Memory(conn), Memory(conn, slug="elsewhere")
    author = ours.identity(
        "git",
        "Ann <7+ann@users.noreply.github.com>",
        source_name="Ann",
        source_email="7+ann@users.noreply.github.com",
    )
    ours.observation(sha(1), "One", author=author)
    elsewhere.observation(sha(2), "Two")
    conn.commit()
    assert consolidate(conn, WordLlamaEmbedder(), now=NOW).workspaces == 2
    elsewhere.identity("github", "7", source_username="ann")
    elsewhere.touch()
    conn.commit()
    # Only `elsewhere` was touched; its account sorts after the address, so Ann's id stays.
    assert consolidate(conn, WordLlamaEmbedder(), now=NOW).workspaces == 1
    elsewhere.identity(
        "git",
        "A <7+ann@users.noreply.github.com>",
        source_name="A",
        source_email="7+ann@users.noreply.github.com",
    )
    elsewhere.touch()
    conn.commit()
    assert consolidate(conn, WordLlamaEmbedder(), now=NOW).workspaces == 2


class AnotherModel(WordLlamaEmbedder):
    name = "another"


def test_similarity_is_that_of_the_configured_model(conn: Connection) -> None:
    memory = Memory(conn)
    author = memory.identity("git", "ann <ann@x.io>", source_name="ann")
    for number, file in ((1, "receiver.py"), (12, "sender.py")):
        title = "Retry deliveries that time out"
        memory.observation(sha(number), title, at=hours(number), files=(file,), author=author)
    memory.touch()
    embed_pending(conn, AnotherModel(), PgVectorIndex(conn), max_rows=1000)
    consolidate(conn, WordLlamaEmbedder(), now=NOW)
    assert len(clusters(conn)) == 2
    consolidate(conn, AnotherModel(), now=NOW, force=True)
    assert len(clusters(conn)) == 1


def test_vectors_written_after_the_decision_make_the_workspace_due_again(conn: Connection) -> None:
    tell(Memory(conn), list(range(len(STORY))))
    consolidate(conn, WordLlamaEmbedder(), now=NOW)
    assert consolidate(conn, WordLlamaEmbedder(), now=NOW).workspaces == 0
    embed_pending(conn, AnotherModel(), PgVectorIndex(conn), max_rows=1000)
    assert consolidate(conn, AnotherModel(), now=NOW).workspaces == 1
