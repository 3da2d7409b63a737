"""Clusters close and reopen, and keep their past: log and former ids, through new decisions and rebuilds."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import UTC, datetime

from lightfast_pipelines.clustering.cluster_history import write_aliases
from lightfast_pipelines.clustering.consolidation import consolidate
from lightfast_pipelines.clustering.provisional import assign_provisional
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
from lightfast_pipelines.inbox.requeue import rebuild
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.deliveries import Delivery
from tests.capture.deliveries import capture_all, delivery, receive, rows, workspace_with
from tests.capture.rows import Memory, hours
from tests.providers.github import payloads as github

NOW = datetime(2024, 7, 1, tzinfo=UTC)
LOG = "SELECT cluster_id, event, detail FROM lightfast.cluster_log ORDER BY id"
EVENTS = "SELECT event FROM lightfast.cluster_log ORDER BY id"
STATUS = "SELECT status, status_reason FROM lightfast.clusters ORDER BY first_observation_at"


def decide(conn: Connection) -> None:
    """Both steps; with consolidation also where nothing is new, which must not show."""
    assign_provisional(conn, max_rows=1_000)
    consolidate(conn, WordLlamaEmbedder(), now=NOW, force=True)


def events(conn: Connection) -> list[str]:
    return [event for (event,) in rows(conn, EVENTS)]


def _pull_request(action: str, at: str, **more: object) -> Delivery:
    payload = github.pull_request(action, 7, at=at, head_sha=github.sha("work"), **more)  # type: ignore[arg-type]
    return delivery("pull_request", payload)


def _push(message: str, at: str) -> Delivery:
    return delivery("push", github.push([github.commit(message, at=at)]))


OPENED = _pull_request("opened", "2024-05-01T10:00:00Z")
MERGED = _pull_request("closed", "2024-05-02T10:00:00Z", merged=True, merge_sha=github.sha("merge"))
WORK = _push("Let the cart hold more\n\nFixes #7", "2024-05-01T10:05:00Z")
LATER_WORK = _push("Let the cart hold even more\n\nFixes #7", "2024-05-02T11:00:00Z")


def test_it_closes_when_its_pull_request_is_merged_and_reopens_when_work_goes_on(
    conn: Connection,
) -> None:
    workspace_with(conn)
    statuses = []
    for news in (OPENED, MERGED, LATER_WORK):
        receive(conn, [news])
        capture_all(conn)
        decide(conn)
        statuses.append(rows(conn, STATUS))
        before = events(conn)
        decide(conn)
        assert events(conn) == before
    assert statuses == [[("open", None)], [("closed", "done")], [("open", None)]]
    assert events(conn) == ["created", "grown", "closed", "grown", "reopened"]


def test_it_reopens_when_one_of_its_items_does(conn: Connection) -> None:
    workspace_with(conn)
    closed = _pull_request("closed", "2024-05-02T10:00:00Z")
    reopened = _pull_request("reopened", "2024-05-03T10:00:00Z")
    for news in (OPENED, closed, reopened):
        receive(conn, [news])
        capture_all(conn)
        decide(conn)
    assert rows(conn, STATUS) == [("open", None)]
    assert [event for event in events(conn) if event != "grown"] == [
        "created",
        "closed",
        "reopened",
    ]


def test_a_state_that_changes_without_a_new_member_is_noticed(conn: Connection) -> None:
    memory = Memory(conn)
    memory.observation("github:pr:1#7", "Speed up the search")
    _set_state(memory, "github:pr:1#7", "open")
    decide(conn)
    _set_state(memory, "github:pr:1#7", "merged")
    memory.touch()
    assert consolidate(conn, WordLlamaEmbedder(), now=NOW).workspaces == 1
    assert rows(conn, STATUS) == [("closed", "done")]
    assert events(conn) == ["created", "closed"]


def _set_state(memory: Memory, key: str, value: str) -> None:
    memory.conn.execute("DELETE FROM lightfast.temporal_states WHERE entity_id = %s", (key,))
    memory.conn.execute(
        """
        INSERT INTO lightfast.temporal_states (workspace_id, entity_type, entity_id, state_type,
          state_value, valid_from, is_current, recorded_at)
        VALUES (%s, 'pull_request', %s, 'status', %s, %s, true, %s)
        """,
        (memory.workspace_id, key, value, hours(0), hours(0)),
    )
    memory.conn.commit()


def test_a_commit_with_a_wrong_clock_does_not_close_all_other_work(conn: Connection) -> None:
    memory = Memory(conn)
    memory.observation("github:commit:" + "a" * 40, "Speed up the search")
    memory.observation(
        "github:commit:" + "b" * 40, "From the future", at=datetime(2038, 1, 19, tzinfo=UTC)
    )
    conn.execute("UPDATE lightfast.observation_facts SET recorded_at = %s", (hours(1),))
    conn.commit()
    decide(conn)
    assert rows(conn, STATUS)[0] == ("open", None)


def test_any_order_of_arrival_and_a_rebuild_give_the_same_statuses_and_a_rebuild_no_events(
    new_database: Callable[[], Database],
) -> None:
    statuses = []
    for seed in range(3):
        story = [OPENED, WORK, MERGED, LATER_WORK]
        random.Random(seed).shuffle(story)
        with new_database().connect() as conn:
            workspace_with(conn)
            for part in (story[:2], story[2:]):
                receive(conn, part)
                capture_all(conn)
                decide(conn)
            statuses.append(rows(conn, STATUS))
            log, aliases = rows(conn, LOG), rows(conn, "SELECT * FROM lightfast.cluster_aliases")
            rebuild(conn)
            conn.commit()
            capture_all(conn)
            decide(conn)
            assert rows(conn, STATUS) == statuses[-1]
            assert rows(conn, LOG) == log
            assert rows(conn, "SELECT * FROM lightfast.cluster_aliases") == aliases
    assert statuses[0] == statuses[1] == statuses[2] == [("open", None)]


def test_a_split_is_logged_once_with_the_clusters_it_made(conn: Connection) -> None:
    memory = Memory(conn)
    ann = memory.identity("git", "ann <ann@x.io>", source_name="ann")
    for number in range(4):
        memory.observation(
            f"github:commit:{number:040x}",
            "Retry deliveries that time out",
            at=hours(number / 10),
            files=["retry.py"],
            author=ann,
        )
    conn.commit()
    decide(conn)
    conn.execute(
        "UPDATE lightfast.observation_facts SET occurred_at = %s WHERE subject_key > %s",
        (hours(5_000), f"github:commit:{1:040x}"),
    )
    conn.commit()
    decide(conn)
    decide(conn)
    [(whole,), (half,)] = rows(
        conn, "SELECT id FROM lightfast.clusters ORDER BY first_observation_at"
    )
    split = {"observations": 2, "before": 4, "into": {whole: 2, half: 2}, "clusters": 2}
    assert [row for row in rows(conn, LOG) if row[1] not in ("created", "closed")] == [
        (whole, "split", split)
    ]


def test_a_new_member_that_consolidation_puts_elsewhere_is_no_split(conn: Connection) -> None:
    memory = Memory(conn)
    ann = memory.identity("git", "ann <ann@x.io>", source_name="ann")
    for number, hour in ((1, 0.0), (2, 20.0)):
        title = "Retry deliveries that time out" if number == 1 else "Paint the shed"
        memory.observation(
            f"github:commit:{number:040x}",
            title,
            at=hours(hour),
            files=["README.md", *(f"{number}-{n}.py" for n in range(9))],
            author=ann,
        )
        conn.commit()
        assign_provisional(conn, max_rows=10)
        if number == 1:
            consolidate(conn, WordLlamaEmbedder(), now=NOW)
    # As if neither the file nor the author were a reason to join any more.
    conn.execute("DELETE FROM lightfast.observation_entities WHERE role = 'file'")
    conn.execute(
        "UPDATE lightfast.observation_facts SET author_identity_id = NULL, actor_identity_id = NULL"
    )
    conn.commit()
    consolidate(conn, WordLlamaEmbedder(), now=NOW, force=True)
    assert events(conn) == ["created", "created"]


def test_former_ids_lead_to_clusters_that_exist_through_any_number_of_decisions(
    conn: Connection,
) -> None:
    workspace = Memory(conn).workspace_id
    conn.commit()
    chance = random.Random(7)
    members = [chr(ord("a") + number) for number in range(8)]
    before: dict[str, str] = {}
    every_id: set[str] = set()
    for _ in range(40):
        numbers = {member: chance.randrange(4) for member in chance.sample(members, 6)}
        after = {
            member: min(m for m in numbers if numbers[m] == number)
            for member, number in numbers.items()
        }
        moves: dict[str, Counter[str]] = defaultdict(Counter)
        for member in before.keys() & after.keys():
            moves[before[member]][after[member]] += 1
        current = set(after.values())
        write_aliases(conn, workspace, current, moves, NOW)
        conn.commit()
        aliases = dict(rows(conn, "SELECT alias_id, cluster_id FROM lightfast.cluster_aliases"))
        # One step leads to a cluster, so there are no chains and no cycles.
        assert set(aliases.values()) <= current
        assert not aliases.keys() & current
        assert {old for old in moves if old not in current} <= aliases.keys()
        assert aliases.keys() <= every_id
        every_id |= current
        before = after
