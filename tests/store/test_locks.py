"""Job locks: who holds one, who waits for one, and what becomes of a dead process's lock."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.locks import job_lock, job_locks

NAMES = ("capture", "embeddings", "clusters")


def test_a_lock_is_visible_until_its_session_ends(database: Database) -> None:
    with database.connect() as watcher:
        holder = database.connect()
        with job_lock(holder, "capture", wait=False) as acquired:
            assert acquired
            assert job_locks(watcher, NAMES) == (frozenset({"capture"}), frozenset())
            holder.close()
        # The server notices a closed client in its own time.
        watcher.rollback()
        with job_lock(watcher, "capture", wait=True):
            assert job_locks(watcher, NAMES)[0] == {"capture"}


def test_a_waiting_session_is_visible_too(database: Database) -> None:
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


# Connects to the address as the pipeline does, and takes the lock, or waits for it.
HOLDER = """
import sys
from lightfast_pipelines.store.database import Database
from lightfast_pipelines.store.locks import job_lock
database = Database(address=sys.argv[1], check_seconds=0.1)
with database.connect("pipeline", application_name="lightfast process") as conn:
    with job_lock(conn, "clusters", wait=True):
        conn.execute(sys.argv[2])
"""


@contextmanager
def holder(database: Database, statement: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that holds the lock of clusters while it executes a statement."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, database.url("migrator"), statement])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for_statement(conn: Connection, part: str) -> None:
    """Waits until another session executes this statement."""
    row = None
    while row is None:
        row = conn.execute(
            "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() "
            "AND datname = current_database() AND query LIKE %s",
            (f"%{part}%",),
        ).fetchone()
        conn.rollback()


@pytest.mark.parametrize("ended_by", [signal.SIGKILL, signal.SIGSEGV])
@pytest.mark.parametrize("statement", ["SELECT pg_sleep(600)", "SELECT pg_advisory_lock(99)"])
def test_a_process_killed_during_a_long_statement_releases_its_lock(
    database: Database, ended_by: signal.Signals, statement: str
) -> None:
    messages: list[str] = []
    with (
        database.connect("migrator") as conn,
        database.connect("pipeline", autocommit=True) as blocker,
        holder(database, statement) as process,
    ):
        blocker.execute("SELECT pg_advisory_lock(99)")
        wait_for_statement(conn, statement)
        os.kill(process.pid, ended_by)
        # If nobody notices, this fails instead of waiting for the end of the statement.
        conn.execute("SET lock_timeout = '60s'")
        with job_lock(conn, "clusters", wait=True, waits=messages.append):
            assert "clusters" in job_locks(conn, ["clusters"])[0]


def test_a_process_killed_while_it_waits_leaves_the_queue(database: Database) -> None:
    with database.connect("migrator") as conn, job_lock(conn, "clusters", wait=False) as acquired:
        assert acquired
        with holder(database, "SELECT 1") as process:
            while not job_locks(conn, ["clusters"])[1]:
                conn.rollback()
            process.kill()
            while job_locks(conn, ["clusters"])[1]:
                conn.rollback()


def test_a_waiting_session_learns_who_holds_the_lock(database: Database) -> None:
    messages: list[str] = []
    with database.connect("migrator") as conn, holder(database, "SELECT pg_sleep(600)") as process:
        wait_for_statement(conn, "pg_sleep")

        def hear(message: str) -> None:
            messages.append(message)
            process.kill()

        conn.execute("SET lock_timeout = '60s'")
        with job_lock(conn, "clusters", wait=True, waits=hear):
            pass
    (message,) = messages
    assert "waits for the lock of clusters, held by `lightfast process` (pid " in message


def test_a_server_that_cannot_check_its_clients_is_used_without_that_check(
    database: Database,
) -> None:
    """Postgres on Windows refuses a connection that asks for the check."""
    refused = Database(address=database.url("migrator"), check_seconds=-1)
    for _ in range(2):
        with refused.connect("migrator") as conn:
            assert conn.execute("SELECT 1").fetchone() == (1,)


def test_sessions_of_the_embedded_server_end_soon_after_their_clients(database: Database) -> None:
    """Including those of Dagster and the receiver, which open their own connections."""
    with psycopg.connect(database.url("migrator")) as conn:
        row = conn.execute("SHOW client_connection_check_interval").fetchone()
    assert row == ("2s",)
