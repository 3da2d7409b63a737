"""Which stages are at work, as Postgres itself knows."""

from __future__ import annotations

import threading

from lightfast_pipelines.store.database import Database
from lightfast_pipelines.store.locks import job_lock, job_locks

NAMES = ("capture", "embeddings", "clusters")


def test_a_lock_is_seen_while_it_is_held_and_no_longer_when_its_session_is_gone(
    database: Database,
) -> None:
    with database.connect() as watcher:
        holder = database.connect()
        with job_lock(holder, "capture", wait=False) as got:
            assert got
            assert job_locks(watcher, NAMES) == (frozenset({"capture"}), frozenset())
            holder.close()
        # The server notices a closed client in its own time.
        watcher.rollback()
        with job_lock(watcher, "capture", wait=True):
            assert job_locks(watcher, NAMES)[0] == {"capture"}


def test_one_who_waits_is_seen_too(database: Database) -> None:
    entered = threading.Event()

    def wait_for_it() -> None:
        with database.connect() as conn, job_lock(conn, "embeddings", wait=True):
            entered.set()

    with database.connect() as watcher, database.connect() as holder:
        with job_lock(holder, "embeddings", wait=False):
            waiter = threading.Thread(target=wait_for_it)
            waiter.start()
            while "embeddings" not in job_locks(watcher, NAMES)[1]:
                watcher.rollback()
            assert not entered.is_set()
        waiter.join(timeout=30)
        assert entered.is_set()
