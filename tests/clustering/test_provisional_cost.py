"""A new observation costs the same after a long history as after a short one: rows read are counted."""

from __future__ import annotations

import pytest

from lightfast_pipelines.clustering.provisional import assign_provisional
from lightfast_pipelines.store.database import Connection, Database
from tests.capture.rows import Memory, hours
from tests.capture.rows_read import rows_read, without_leftovers

BRANCH, PULL_REQUEST, ISSUE = "github:branch:1:main", "github:pr:1#7", "github:issue:1#5"

# What one thing of a workspace has had a thousand of when it is old: subject, edge of each.
HISTORIES = {
    "commits of one person to one file": None,
    "events of a branch": BRANCH,
    "events of a pull request": PULL_REQUEST,
}


def _commit(number: int) -> str:
    return f"github:commit:{number:040x}"


def _add(memory: Memory, number: int, subject: str | None) -> None:
    author = memory.identity("git", "ann <ann@x.io>", source_name="ann")
    memory.observation(
        subject or _commit(number),
        f"Change {number}",
        at=hours(number / 60),
        transition=f"changed-{number}",
        files=["README.md", f"src/{number}.py"],
        author=author,
    )


@pytest.mark.parametrize("history", HISTORIES)
def test_one_more_observation_reads_as_many_rows_after_many_as_after_few(
    database: Database, conn: Connection, history: str
) -> None:
    subject = HISTORIES[history]
    read = []
    for size, slug in ((40, "young"), (400, "old")):
        memory = Memory(conn, slug=slug)
        for number in range(size):
            _add(memory, number, subject)
        conn.commit()
        assign_provisional(conn, max_rows=10_000)
        _add(memory, size, subject)
        conn.commit()
        with without_leftovers(database, conn):
            before = rows_read(conn)
            assert assign_provisional(conn, max_rows=10).observations == 1
            read.append(rows_read(conn) - before)
    assert read[1] <= 1.2 * read[0] + 20


def test_an_issue_that_many_commits_fix_is_not_followed_to_all_of_them(
    database: Database, conn: Connection
) -> None:
    read = []
    for size, slug in ((150, "young"), (600, "old")):
        memory = Memory(conn, slug=slug)
        for number in range(size):
            memory.edge(_commit(number), "fixes", ISSUE)
            memory.edge(_commit(number), "mentions", ISSUE)
        memory.observation(ISSUE, "It crashes")
        conn.commit()
        with without_leftovers(database, conn):
            before = rows_read(conn)
            assert assign_provisional(conn, max_rows=10).observations == 1
            read.append(rows_read(conn) - before)
    assert read[1] <= 1.2 * read[0] + 20


def test_a_cluster_counts_what_joins_it_and_spans_its_time(conn: Connection) -> None:
    memory = Memory(conn)
    for number in (5, 9, 1):
        _add(memory, number, PULL_REQUEST)
        conn.commit()
        assign_provisional(conn, max_rows=10)
    rows = conn.execute(
        """
        SELECT observation_count, first_observation_at, last_observation_at FROM lightfast.clusters
        """
    ).fetchall()
    assert rows == [(3, hours(1 / 60), hours(9 / 60))]


def test_statistics_from_before_anything_had_a_cluster_mislead_no_look_up(
    conn: Connection,
) -> None:
    memory = Memory(conn)
    author = memory.identity("git", "ann <ann@x.io>", source_name="ann")
    # So many that the indexes differ in depth: with fewer, Postgres takes the right one by luck.
    conn.execute(
        """
        INSERT INTO lightfast.observation_facts
          (external_id, workspace_id, source_id, source, source_type, observation_type, subject_key,
           occurred_at, recorded_at, ingestion_source, author_identity_id, title, category,
           significance_score, rule_version)
        SELECT n, %s, 'github:commit:' || md5(n::text) || '|pushed', 'github', 'commit.pushed',
               'change', 'github:commit:' || md5(n::text), now() - n * interval '1 minute', now(),
               'webhook', %s, 'Change ' || n, 'other', 40, 1
        FROM generate_series(1, 20000) n
        """,
        (memory.workspace_id, author),
    )
    conn.execute(
        """
        INSERT INTO lightfast.entities (workspace_id, category, key, confidence, first_seen_at,
          last_seen_at, occurrence_count, is_stub)
        VALUES (%(workspace)s, 'file', 'file:README.md', 1, now(), now(), 1, false);
        """,
        {"workspace": memory.workspace_id},
    )
    conn.execute(
        """
        INSERT INTO lightfast.observation_entities
          (observation_id, entity_id, role, confidence, extractor, stated_key)
        SELECT o.id, e.id, 'file', 1, 'payload', e.key FROM lightfast.observations o, lightfast.entities e
        """
    )
    # As autovacuum finds a history that has just been captured.
    conn.execute("ANALYZE")
    conn.commit()
    assign_provisional(conn, max_rows=500)
    before = rows_read(conn)
    assert assign_provisional(conn, max_rows=500).observations == 500
    assert rows_read(conn) - before <= 500 * 60
