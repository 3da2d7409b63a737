"""Everything that writes, at once: no two sessions wait for each other, and the rows are those of one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import numpy as np
import psycopg
import pytest
from msgspec import structs
from numpy.typing import NDArray

from lightfast_pipelines.capture.batch import capture_batch
from lightfast_pipelines.capture.facts import Facts
from lightfast_pipelines.capture.kept_readings import KeptReadings
from lightfast_pipelines.capture.queue.attempts import begin, take_back
from lightfast_pipelines.capture.queue.batches import capture
from lightfast_pipelines.capture.queue.lanes import look
from lightfast_pipelines.capture.queue.taking import take
from lightfast_pipelines.capture.raw_payloads import load_raw_payloads
from lightfast_pipelines.capture.writers.observations import remove_observations
from lightfast_pipelines.capture.writers.stub_names import WorkspaceKey
from lightfast_pipelines.capture.writing import write_facts
from lightfast_pipelines.clustering.consolidation import consolidate
from lightfast_pipelines.clustering.provisional import assign_provisional
from lightfast_pipelines.domain.consolidation import decide as decide_clusters
from lightfast_pipelines.domain.events import Filtered, Understood
from lightfast_pipelines.domain.people.decide import decide as decide_who_is_who
from lightfast_pipelines.embedded_postgres import Lease
from lightfast_pipelines.embedding.pgvector import PgVectorIndex
from lightfast_pipelines.embedding.stage import embed_pending
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
from lightfast_pipelines.inbox.requeue import (
    hold_stages,
    rebuild,
    requeue_days,
    requeue_outdated,
)
from lightfast_pipelines.people.organisations import decide_people
from lightfast_pipelines.providers import discover
from lightfast_pipelines.store.consolidation_marks import mark_changed
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.deliveries import Delivery
from lightfast_pipelines.store.digest import digest_lines
from lightfast_pipelines.store.linked_resources import (
    find_workspace,
    link_resource,
    requeue_resource,
)
from lightfast_pipelines.store.locks import job_lock
from lightfast_pipelines.store.stage_failures import StageError, count_workspace, try_again
from tests.capture.deliveries import (
    NOW,
    capture_all,
    delivery,
    one,
    receive,
    rows,
    workspace_with,
)
from tests.capture.test_order import STORY
from tests.depth import size
from tests.providers.github import payloads as github

DAYS = [NOW.date() - timedelta(days=ago) for ago in range(3)]
MODEL = WordLlamaEmbedder()
SOURCES = """
SELECT o.source_id, p.delivery_id FROM lightfast.observation_sources s
JOIN lightfast.observations o ON o.id = s.observation_id
JOIN lightfast.raw_payloads p ON p.id = s.raw_payload_id ORDER BY 1, 2
"""
WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE wait_event_type = 'Lock' AND datname = current_database()
"""
OUTCOMES = """
SELECT p.delivery_id, o.status, o.reason FROM lightfast.outcomes o
JOIN lightfast.raw_payloads p ON p.id = o.raw_payload_id ORDER BY 1, 2, 3
"""

Task = Callable[[Connection], object]


@pytest.fixture
def database(postgres: Lease, database: Database) -> Iterator[Database]:
    """Its sessions look for deadlocks as soon as they wait; and there was none."""
    with psycopg.connect(postgres.url("postgres", "postgres"), autocommit=True) as superuser:
        with database.connect() as conn:
            [(name,)] = rows(conn, "SELECT current_database()")
        superuser.execute(f"ALTER DATABASE {name} SET deadlock_timeout = '2ms'")
        yield database
        [(deadlocks,)] = superuser.execute(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = %s", (name,)
        )
        assert deadlocks == 0


def story(conn: Connection, chance: Random) -> None:
    """The story, each delivery on one of three days."""
    workspace_with(conn, "shop", 1, 2)
    receive(conn, [replace(one, partition_date=chance.choice(DAYS)) for one in STORY])


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


def at_once(database: Database, tasks: Sequence[Task]) -> None:
    """Runs the tasks, each on a connection of its own, which begin together."""
    begin, errors = threading.Barrier(len(tasks) + 1), []

    def run(task: Task) -> None:
        with database.connect() as conn:
            begin.wait()
            try:
                task(conn)
                conn.commit()
            except Exception as error:
                errors.append(error)

    threads = [threading.Thread(target=run, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    begin.wait()
    for thread in threads:
        thread.join()
    assert not errors


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


def finished(conn: Connection) -> list[tuple[str, str]]:
    """The digest once nothing is left to do."""
    capture_all(conn)
    embed_pending(conn, MODEL, PgVectorIndex(conn), max_rows=10_000)
    assign_provisional(conn, max_rows=10_000)
    consolidate(conn, MODEL, now=NOW)
    conn.commit()
    return digest_lines(conn)


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


def rebuilds(session: Connection) -> None:
    with hold_stages(session, lambda _message: None):
        rebuild(session)
        session.commit()


def test_a_rebuild_and_a_stage_at_work_never_wait_for_each_other(
    database: Database, conn: Connection
) -> None:
    """The stage has locked observations; the rebuild deletes what waits for the stage before these."""
    story(conn, Random(1))
    capture_all(conn)
    rebuilding = threading.Thread(target=at_once, args=(database, [rebuilds]))

    class Slow(WordLlamaEmbedder):
        def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
            if not rebuilding.is_alive():
                rebuilding.start()
                with database.connect(autocommit=True) as watcher:
                    while not one(watcher, WAITING):
                        assert rebuilding.is_alive()
            return super().embed(texts)

    with job_lock(conn, "embeddings", wait=True):
        embed_pending(conn, Slow(), PgVectorIndex(conn), max_rows=10_000)
    rebuilding.join()
    assert one(conn, "SELECT count(*) FROM lightfast.observations") == 0


def takes(session: Connection) -> None:
    begin(session, take(session, None, 50))


def takes_back(session: Connection) -> None:
    take_back(session, load_raw_payloads(session, dict.fromkeys(ids_of(session, QUEUE), 0)))


def captures_a_batch(session: Connection) -> None:
    raws = load_raw_payloads(session, dict.fromkeys(ids_of(session, QUEUE), 0))
    capture_batch(session, raws, NOW, KeptReadings(), from_queue=True)


def links(session: Connection) -> None:
    requeue_resource(session, "github", "1")


def captures_again(session: Connection) -> None:
    requeue_days(session, [NOW.date()])
    capture_all(session)


def decides_people(session: Connection) -> None:
    decide_people(session, now=NOW, force=True)


def moves(session: Connection) -> None:
    # A plan that the planner takes for many rows: in the order of the table's file.
    session.execute("SET enable_indexscan = off")
    session.execute(
        "UPDATE lightfast.observation_facts SET occurred_at = occurred_at + interval '1 hour'"
    )
    session.commit()


def removes_the_first_and_moves_the_others(session: Connection) -> None:
    provider = type(discover()["github"])
    read = provider.read

    def read_anew(self: Any, event: str, payload: Any) -> Any:
        reading = read(self, event, payload)
        if payload["issue"]["number"] == 1:
            return Filtered("not any more")
        assert isinstance(reading, Understood)
        later = (
            structs.replace(statement, occurred_at=statement.occurred_at + timedelta(hours=1))
            for statement in reading.statements
        )
        return structs.replace(reading, statements=tuple(later))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(provider, "read", read_anew)
        captures_again(session)


def tries_again(session: Connection) -> None:
    # As in `moves`.
    session.execute("SET enable_indexscan = off; SET enable_bitmapscan = off")
    try_again(session, ["people"])


QUEUE, IDENTITIES, MEMBERS = "raw_queue", "actor_identities", "cluster_members"
MARKS = "consolidation_marks"
_KEYS = {
    QUEUE: "raw_payload_id",
    IDENTITIES: "id",
    MEMBERS: "observation_id",
    MARKS: "workspace_id",
}


def ids_of(conn: Connection, table: str) -> list[int]:
    key = _KEYS[table]
    return [row[0] for row in rows(conn, f"SELECT {key} FROM lightfast.{table} ORDER BY {key}")]


@pytest.mark.parametrize(
    ("table", "task"),
    [
        (QUEUE, takes),
        (QUEUE, takes_back),
        (QUEUE, look),
        (QUEUE, links),
        (QUEUE, captures_a_batch),
        (IDENTITIES, captures_again),
        (IDENTITIES, decides_people),
        (MEMBERS, moves),
        (MEMBERS, removes_the_first_and_moves_the_others),
        (MARKS, tries_again),
    ],
)
def test_rows_that_several_sessions_change_are_locked_in_the_order_of_their_ids(
    database: Database, conn: Connection, table: str, task: Task
) -> None:
    """A session that waits for the first row holds none of the others."""
    if table != QUEUE:
        workspace_with(conn, "shop", 1)
    people = ("ada", "grace", "linus", "barbara")
    issues = [("issues", github.issue(number=n, sender=who)) for n, who in enumerate(people, 1)]
    receive(conn, [delivery(event, payload, f"i-{n}") for n, (event, payload) in enumerate(issues)])
    if table != QUEUE:
        capture_all(conn)
        assign_provisional(conn, max_rows=1_000)
        # Neither could the people of another workspace be decided.
        mark_changed(conn, [workspace_with(conn, "bakery", 2).id])
        conn.commit()
        for workspace in ids_of(conn, MARKS):
            count_workspace(conn, "people", "1", workspace, StageError("Error", "no"))
            conn.commit()
    elif task is links:
        look(conn)
    first, *others = ids_of(conn, table)
    assert others
    key = _KEYS[table]
    # The first row is the last one in the table's file.
    conn.execute(f"UPDATE lightfast.{table} SET {key} = {key} WHERE {key} = %s", (first,))
    if table == MEMBERS:
        # As an indexed column changes, an index leads to its new place too.
        later = "occurred_at = occurred_at + interval '1 second'"
        conn.execute(f"UPDATE lightfast.{table} SET {later} WHERE {key} = %s", (first,))
    conn.commit()
    with database.connect() as holder, database.connect(autocommit=True) as watcher:
        lock = f"SELECT FROM lightfast.{table} WHERE {key} = ANY(%s) ORDER BY {key} FOR UPDATE"
        holder.execute(lock, ([first],))
        session = threading.Thread(target=at_once, args=(database, [task]))
        session.start()
        while not one(watcher, WAITING):
            assert session.is_alive()
        holder.execute(f"{lock} NOWAIT", (others,))
        holder.rollback()
        session.join()


def test_no_delivery_waits_while_consolidation_decides(
    database: Database, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes the locks of rows only to write, at the end of a workspace's transaction."""
    story(conn, Random(1))
    finished(conn)
    captured: list[int] = []

    def capture_everything_again() -> None:
        with database.connect() as session:
            session.execute("SET lock_timeout = '1s'")
            requeue_days(session, DAYS)
            session.commit()
            captured.append(capture_all(session).deliveries)

    def meanwhile(decision: Callable[..., Any]) -> Callable[..., Any]:
        def decide(*arguments: Any) -> Any:
            capture_everything_again()
            return decision(*arguments)

        return decide

    monkeypatch.setattr(
        "lightfast_pipelines.clustering.consolidation.decide", meanwhile(decide_clusters)
    )
    monkeypatch.setattr("lightfast_pipelines.people.actors.decide", meanwhile(decide_who_is_who))
    consolidate(conn, MODEL, now=NOW, force=True)
    conn.commit()
    assert captured == [len(STORY) - 1] * 2


def test_an_observation_is_deleted_only_once_nobody_decides_its_cluster(
    database: Database, conn: Connection
) -> None:
    """Consolidation, which holds the first one's membership, may still look at every observation."""
    story(conn, Random(1))
    finished(conn)
    observations = [
        row[0] for row in rows(conn, "SELECT id FROM lightfast.observations ORDER BY 1")
    ]
    members = "SELECT FROM lightfast.cluster_members WHERE observation_id = %s FOR UPDATE"
    with database.connect() as consolidation, database.connect(autocommit=True) as watcher:
        consolidation.execute(members, (observations[0],))

        def removes(session: Connection) -> None:
            remove_observations(session, observations)
            session.rollback()

        capturing = threading.Thread(target=at_once, args=(database, [removes]))
        capturing.start()
        while not one(watcher, WAITING):
            assert capturing.is_alive()
        consolidation.execute(
            "SELECT FROM lightfast.observation_facts WHERE id = ANY(%s) FOR KEY SHARE NOWAIT",
            (observations,),
        )
        consolidation.rollback()
        capturing.join()
