"""Locks are taken in one order, so no two sessions wait for each other, and none for a decision."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from random import Random
from typing import Any

import numpy as np
import pytest
from msgspec import structs
from numpy.typing import NDArray

from lightfast_pipelines.capture.batch import capture_batch
from lightfast_pipelines.capture.kept_readings import KeptReadings
from lightfast_pipelines.capture.queue.attempts import begin, take_back
from lightfast_pipelines.capture.queue.lanes import look
from lightfast_pipelines.capture.queue.taking import take
from lightfast_pipelines.capture.raw_payloads import load_raw_payloads
from lightfast_pipelines.capture.writers.observations import remove_observations
from lightfast_pipelines.clustering.consolidation import consolidate
from lightfast_pipelines.clustering.provisional import assign_provisional
from lightfast_pipelines.domain.consolidation import decide as decide_clusters
from lightfast_pipelines.domain.events import Filtered, Understood
from lightfast_pipelines.domain.people.decide import decide as decide_who_is_who
from lightfast_pipelines.embedding.pgvector import PgVectorIndex
from lightfast_pipelines.embedding.stage import embed_pending
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
from lightfast_pipelines.inbox.requeue import hold_stages, rebuild, requeue_days
from lightfast_pipelines.people.organisations import decide_people
from lightfast_pipelines.providers import discover
from lightfast_pipelines.store.consolidation_marks import mark_changed
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.locks import job_lock
from lightfast_pipelines.store.routed_payloads import requeue_resource
from lightfast_pipelines.store.stage_failures import StageError, count_workspace, try_again
from tests.capture.deliveries import NOW, capture_all, delivery, one, receive, rows, workspace_with
from tests.capture.sessions import DAYS, MODEL, WAITING, Task, at_once, database, finished, story
from tests.capture.test_order import STORY
from tests.providers.github import payloads as github

__all__ = ["database"]


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
