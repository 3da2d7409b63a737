"""Everything that writes, at once: no two sessions wait for each other, and the rows are those of one."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from random import Random
from typing import Any

import pytest

from lightfast_pipelines.capture.facts import Facts
from lightfast_pipelines.capture.queue.batches import capture
from lightfast_pipelines.capture.queue.lanes import look
from lightfast_pipelines.capture.writers.stub_names import WorkspaceKey
from lightfast_pipelines.capture.writing import write_facts
from lightfast_pipelines.clustering.consolidation import consolidate
from lightfast_pipelines.clustering.provisional import assign_provisional
from lightfast_pipelines.embedding.pgvector import PgVectorIndex
from lightfast_pipelines.embedding.stage import embed_pending
from lightfast_pipelines.inbox.requeue import rebuild, requeue_days, requeue_outdated
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.deliveries import Delivery
from lightfast_pipelines.store.digest import digest_lines
from lightfast_pipelines.store.linked_resources import find_workspace, link_resource
from lightfast_pipelines.store.locks import job_lock
from tests.capture.deliveries import NOW, capture_all, delivery, one, receive, rows, workspace_with
from tests.capture.sessions import DAYS, MODEL, Task, at_once, database, finished, story
from tests.depth import size
from tests.providers.github import payloads as github

__all__ = ["database"]


SOURCES = """
SELECT o.source_id, p.delivery_id FROM lightfast.observation_sources s
JOIN lightfast.observations o ON o.id = s.observation_id
JOIN lightfast.raw_payloads p ON p.id = s.raw_payload_id ORDER BY 1, 2
"""
OUTCOMES = """
SELECT p.delivery_id, o.status, o.reason FROM lightfast.outcomes o
JOIN lightfast.raw_payloads p ON p.id = o.raw_payload_id ORDER BY 1, 2, 3
"""


def pushes(repository: int, day: date, number: int) -> list[Delivery]:
    """Pushes of the same commits to this repository, received on this day.

    Another repository, as captures of one wait for each other at the row of its name.
    """
    return [
        replace(
            delivery(
                "push",
                github.push(
                    [github.commit(f"Change {n}", commit_sha=f"{n:040x}")],
                    repo=f"acme/shop-{repository}",
                    repo_id=repository,
                ),
                f"{repository}-{n}",
            ),
            partition_date=day,
        )
        for n in range(1, number + 1)
    ]


class Together:
    """Lets no batch write before every other capture is about to write too, waits for a lock, or has ended:
    so each has read what it read before the others wrote."""

    def __init__(self, watcher: Connection) -> None:
        self._watcher = watcher
        self._lock = threading.Lock()
        self._at_work: set[int] = set()
        self._arrived: set[int] = set()
        self._round = 0

    @contextmanager
    def session(self, conn: Connection) -> Iterator[None]:
        with self._lock:
            self._at_work.add(conn.info.backend_pid)
        yield
        with self._lock:
            self._at_work.discard(conn.info.backend_pid)

    def arrive(self, conn: Connection) -> None:
        with self._lock:
            mine = self._round
            self._arrived.add(conn.info.backend_pid)
        while True:
            with self._lock:
                if self._round != mine:
                    return
                if self._at_work - self._arrived <= self._waiting():
                    self._round += 1
                    self._arrived.clear()
                    return

    def _waiting(self) -> set[int]:
        return {
            pid
            for (pid,) in self._watcher.execute(
                "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            )
        }


@pytest.fixture
def together(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Together]:
    with database.connect(autocommit=True) as watcher:
        made = Together(watcher)

        def write_together(conn: Connection, facts: Facts, renamed: Set[WorkspaceKey]) -> Any:
            made.arrive(conn)
            return write_facts(conn, facts, renamed)

        monkeypatch.setattr("lightfast_pipelines.capture.batch.write_facts", write_together)
        yield made


def captures(days: Sequence[date] | None, batch_rows: int) -> Task:
    """Captures without the job lock that lets one session at a time do so."""

    def task(conn: Connection) -> None:
        more = True
        while more:
            more = capture(
                conn, days=days, max_rows=10_000, batch_rows=batch_rows, now=datetime.now(UTC)
            ).more

    return task


@pytest.mark.parametrize("batch_rows", [1, 12])
@pytest.mark.parametrize("reverse", [False, True], ids=["one order", "opposite orders"])
def test_two_captures_of_the_same_facts_at_once_end_in_the_rows_of_one(
    database: Database, conn: Connection, together: Together, batch_rows: int, reverse: bool
) -> None:
    workspace_with(conn, "shop", 1, 2)
    receive(conn, pushes(1, DAYS[0], 12))
    receive(conn, pushes(2, DAYS[1], 12)[:: -1 if reverse else 1])
    check_two_captures(database, conn, together, [DAYS[:1], DAYS[1:2]], batch_rows)


@pytest.mark.parametrize("apart", [True, False], ids=["other days", "the same days"])
def test_two_captures_of_a_story_at_once_end_in_the_rows_of_one(
    database: Database, conn: Connection, together: Together, apart: bool
) -> None:
    days = [DAYS[:1], DAYS[1:]] if apart else [DAYS, DAYS]
    for seed in range(size(1, 50)):
        with database.connect() as session:
            chance = Random(seed)
            if not seed:
                story(session, chance)
            check_two_captures(database, session, together, days, chance.randint(1, 3))


def check_two_captures(
    database: Database,
    conn: Connection,
    together: Together,
    days: Sequence[Sequence[date]],
    batch_rows: int,
) -> None:
    def in_a_session(task: Task) -> Task:
        def run(session: Connection) -> None:
            with together.session(session):
                task(session)

        return run

    def result() -> object:
        return digest_lines(conn), rows(conn, SOURCES), rows(conn, OUTCOMES)

    capture_all(conn)
    expected = result()
    rebuild(conn)
    conn.commit()
    at_once(database, [in_a_session(captures(each, batch_rows)) for each in days])
    assert one(conn, "SELECT count(*) FROM lightfast.raw_queue") == 0
    assert result() == expected


def test_stages_commands_and_two_captures_at_once_never_wait_for_each_other(
    database: Database, conn: Connection
) -> None:
    story(conn, Random(1))
    expected = finished(conn)
    workspace = find_workspace(conn, "shop")
    for seed in range(size(3, 60)):
        chance = Random(seed)
        rebuild(conn)
        conn.commit()

        def again(task: Task, times: int = 6) -> Task:
            def repeated(session: Connection) -> None:
                for _ in range(times):
                    task(session)
                    session.commit()

            return repeated

        def embeds(session: Connection) -> None:
            with job_lock(session, "embeddings", wait=True):
                embed_pending(session, MODEL, PgVectorIndex(session), max_rows=7)

        def clusters(session: Connection) -> None:
            with job_lock(session, "clusters", wait=True):
                assign_provisional(session, max_rows=7)

        def consolidates(session: Connection) -> None:
            with job_lock(session, "consolidation", wait=True):
                consolidate(session, MODEL, now=NOW)

        def links(session: Connection) -> None:
            link_resource(session, workspace, "github", "1", name="acme/shop")

        tasks: list[Task] = [
            captures(None, chance.randint(1, 6)),
            captures(list(reversed(DAYS)), chance.randint(1, 6)),
            again(embeds),
            again(clusters),
            again(consolidates),
            again(look),
            again(requeue_outdated),
            again(lambda session: requeue_days(session, DAYS[:1]), 2),
            again(links, 2),
        ]
        at_once(database, tasks)
        assert finished(conn) == expected, seed
