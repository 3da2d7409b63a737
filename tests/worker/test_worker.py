"""A worker captures what arrives between runs, and neither holds them up nor waits for them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np
import psycopg
import pytest
from numpy.typing import NDArray

from lightfast_pipelines.capture.queue.batches import capture
from lightfast_pipelines.embedding.pgvector import PgVectorIndex
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.locks import (
    WORKER_CAPTURES,
    WORKER_SETTLES,
    hold_clusters,
    job_lock,
    job_locks,
    present,
)
from lightfast_pipelines.store.time_limit import TimeLimit
from lightfast_pipelines.store.unreported import read_unreported
from lightfast_pipelines.worker import shift
from lightfast_pipelines.worker.loop import work_until_stopped
from lightfast_pipelines.worker.shift import Shift, Totals, Work
from tests.arriving import arrive, count, link

TODAY = datetime.now(UTC).date()
LONG_AGO = TODAY - timedelta(days=300)


@dataclass
class Pauses:
    """Stands for time that passes: each pause of the worker does the next thing, and the last one ends it."""

    things: list[Callable[[], object]] = field(default_factory=list)
    asked: bool = False

    def is_asked(self) -> bool:
        return self.asked

    def wait(self, _seconds: float) -> bool:
        if self.things:
            self.things.pop(0)()
        else:
            self.asked = True
        return self.asked


class Broken(WordLlamaEmbedder):
    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        raise RuntimeError("the model is broken")


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def work(said: list[str]) -> Work:
    return Work(WordLlamaEmbedder(), PgVectorIndex, 500, TimeLimit(), said.append)


@contextmanager
def holds(database: Database, job: str) -> Iterator[Connection]:
    """The lock is free as soon as the block ends; closing only the connection frees it some time later."""
    with database.connect() as other, job_lock(other, job, wait=False) as acquired:
        assert acquired
        yield other


def pending(conn: Connection) -> tuple[int, int, int]:
    """Waiting deliveries, observations without vectors, observations without a cluster."""
    row = conn.execute(
        """
        SELECT (SELECT count(*) FROM lightfast.raw_queue),
               count(*) FILTER (WHERE embedding_title_id IS NULL),
               count(*) FILTER (WHERE cluster_id IS NULL)
        FROM lightfast.observations
        """
    ).fetchone()
    conn.rollback()
    assert row is not None
    return row[0], row[1], row[2]


def test_what_arrives_is_captured_embedded_and_clustered_and_shown_in_dagster(
    database: Database, conn: Connection, work: Work
) -> None:
    link(conn)

    def delivered() -> None:
        with database.connect() as receiver:
            arrive(receiver, [TODAY], each=3)

    def nothing() -> None: ...

    work_until_stopped(database, work, Pauses([delivered, nothing, nothing]))
    assert count(conn, "observations") == 3
    assert pending(conn) == (0, 0, 0)
    shown = {(done.stage, done.day) for done in read_unreported(conn, days=9)}
    assert shown == {(stage, TODAY) for stage in ("capture", "embeddings", "clusters")}


def test_deliveries_of_today_come_before_a_backlog_of_any_length(
    database: Database, conn: Connection, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shift, "CAPTURE_ROWS", 5)
    link(conn)
    arrive(conn, [LONG_AGO], each=20)
    worker = Shift(conn, work, Totals())
    assert worker.capture_waiting() == 5
    arrive(conn, [TODAY], each=2, first=100)
    assert worker.capture_waiting() == 2
    assert count(conn, "raw_queue") == 15
    assert [worker.capture_waiting() for _ in range(4)] == [5, 5, 5, 0]


def test_a_waiting_run_captures_after_the_workers_batch_and_the_worker_after_its_slice(
    database: Database, conn: Connection, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shift, "CAPTURE_ROWS", 4)
    link(conn)
    arrive(conn, [TODAY], each=40)
    left: list[int] = []

    def take_a_turn() -> None:
        with database.connect() as run, job_lock(run, "capture", wait=True):
            left.append(count(run, "raw_queue"))

    worker = Shift(conn, work, Totals())
    run = threading.Thread(target=take_a_turn)

    def during_the_first_batch(_count: int) -> None:
        if not left and not run.is_alive():
            run.start()
            with database.connect() as watcher:
                while not job_locks(watcher, ["capture"])[1]:
                    watcher.rollback()

    monkeypatch.setattr(
        "lightfast_pipelines.worker.shift.capture",
        partial(capture, progress=during_the_first_batch),
    )
    worker.capture_waiting()
    worker.capture_waiting()
    run.join(timeout=30)
    assert left == [36], "after the batch of four, not after the last"


def test_an_idle_worker_holds_no_lock_that_a_run_needs(
    database: Database, conn: Connection, work: Work
) -> None:
    held: list[frozenset[str]] = []

    def look() -> None:
        held.append(job_locks(conn, ["capture", "embeddings", "clusters"])[0])
        held.append(present(conn, [WORKER_CAPTURES, WORKER_SETTLES]))
        conn.rollback()

    work_until_stopped(database, work, Pauses([look]))
    assert held == [frozenset(), frozenset({WORKER_CAPTURES, WORKER_SETTLES})]
    assert not present(conn, [WORKER_CAPTURES, WORKER_SETTLES])


@pytest.mark.parametrize("stage", ["embeddings", "clusters"])
def test_deliveries_do_not_wait_for_a_run_that_embeds_or_clusters(
    database: Database, conn: Connection, work: Work, stage: str
) -> None:
    link(conn)
    arrive(conn, [TODAY])
    seen: list[tuple[int, int, int]] = []
    with ExitStack() as run:
        run.enter_context(holds(database, stage))
        stop = Pauses([lambda: seen.append(pending(conn)), run.close, lambda: None])
        work_until_stopped(database, work, stop)
    assert seen[0][0] == 0, "captured meanwhile"
    assert sum(seen[0]) == 1, "the other stage was done"
    assert pending(conn) == (0, 0, 0), "done once the run had ended"


def test_deliveries_do_not_wait_while_consolidation_decides_the_workspaces_clusters(
    database: Database, conn: Connection, work: Work
) -> None:
    link(conn)
    arrive(conn, [TODAY])
    with database.connect() as consolidation:
        hold_clusters(consolidation, 1)
        seen: list[tuple[int, int, int]] = []
        stop = Pauses([lambda: seen.append(pending(conn)), consolidation.rollback, lambda: None])
        work_until_stopped(database, work, stop)
    assert seen == [(0, 0, 1)]
    assert pending(conn) == (0, 0, 0)


def test_a_worker_whose_sessions_end_goes_on_with_new_ones(
    database: Database, conn: Connection, work: Work, said: list[str]
) -> None:
    link(conn)

    def restart() -> None:
        with database.connect(autocommit=True) as other:
            other.execute(
                """
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE application_name = 'lightfast worker' AND datname = current_database()
                """
            )

    def arrives() -> None:
        arrive(conn, [TODAY])

    work_until_stopped(database, work, Pauses([restart, restart, arrives, lambda: None]))
    assert count(conn, "observations") == 1
    errors = [line for line in said if "AdminShutdown" in line or "OperationalError" in line]
    assert errors, said


def test_a_worker_embeds_and_clusters_what_a_run_had_captured_before_it_was_killed(
    database: Database, conn: Connection, work: Work
) -> None:
    link(conn)
    passed = [0.0]
    seen: list[tuple[int, int, int]] = []

    def killed_run() -> None:
        arrive(conn, [TODAY])
        capture(conn, days=None, max_rows=9, batch_rows=9, now=datetime.now(UTC))
        seen.append(pending(conn))

    def later() -> None:
        seen.append(pending(conn))
        passed[0] += shift.LOOK_AGAIN_SECONDS

    work = replace(work, monotonic=lambda: passed[0])
    work_until_stopped(database, work, Pauses([lambda: None, killed_run, later, lambda: None]))
    assert seen == [(0, 1, 1), (0, 1, 1)]
    assert pending(conn) == (0, 0, 0)


def test_a_broken_model_keeps_nothing_from_being_captured_and_leaves_vectors_to_the_runs(
    database: Database, conn: Connection, said: list[str]
) -> None:
    work = Work(Broken(), PgVectorIndex, 500, TimeLimit(), said.append)
    link(conn)
    shown: list[frozenset[str]] = []

    def arrives(number: int) -> None:
        shown.append(present(conn, [WORKER_CAPTURES, WORKER_SETTLES]))
        arrive(conn, [TODAY], first=number)

    def passes() -> None: ...

    stop = Pauses(
        [lambda: arrives(1), passes, lambda: arrives(2), passes, lambda: arrives(3), passes]
    )
    work_until_stopped(database, work, stop)
    assert count(conn, "observations") == 3
    assert shown == [{WORKER_CAPTURES}] * 3
    assert len([line for line in said if "the model is broken" in line]) == 1, said


def test_two_workers_capture_each_delivery_once(
    database: Database, conn: Connection, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shift, "CAPTURE_ROWS", 5)
    link(conn)
    arrive(conn, [TODAY], each=60)
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work_until_stopped(database, work, Pauses([lambda: None, lambda: None]))
        except BaseException as error:
            errors.append(error)

    workers = [threading.Thread(target=run) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=60)
    assert not errors
    assert pending(conn) == (0, 0, 0)
    outcomes = conn.execute(
        "SELECT status, count(*) FROM lightfast.outcomes GROUP BY status"
    ).fetchall()
    assert outcomes == [("delivered", 60)]


def test_a_failed_statement_of_capture_ends_the_shift_and_blames_no_delivery(
    database: Database, conn: Connection, work: Work, said: list[str]
) -> None:
    link(conn)
    arrive(conn, [TODAY])
    with database.connect("migrator", autocommit=True) as owner:
        owner.execute("ALTER TABLE lightfast.relationships RENAME TO away")

        def mend() -> None:
            owner.execute("ALTER TABLE lightfast.away RENAME TO relationships")

        nothing: Callable[[], None] = lambda: None  # noqa: E731
        work_until_stopped(database, work, Pauses([nothing, nothing, mend, nothing, nothing]))
    assert len([line for line in said if psycopg.errors.UndefinedTable.__name__ in line]) == 1
    assert pending(conn)[0] == 0
    assert count(conn, "observations") == 1
