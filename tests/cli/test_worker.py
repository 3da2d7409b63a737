"""`lightfast worker` as a process: how it ends, and what is left when it is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.locks import WORKER_CAPTURES, present
from tests.arriving import arrive, count, link
from tests.cli.conftest import Lightfast
from tests.programs import Programs

COMMAND = [sys.executable, "-c", "from lightfast_pipelines.cli import app; app()", "worker"]
TODAY = datetime.now(UTC).date()


def start(programs: Programs, conn: Connection) -> subprocess.Popen[bytes]:
    """A worker that is at work."""
    worker = programs.start(COMMAND, stderr=subprocess.PIPE)
    wait_until(worker, conn, lambda: bool(present(conn, [WORKER_CAPTURES])))
    return worker


def wait_until(worker: subprocess.Popen[bytes], conn: Connection, done: Callable[[], bool]) -> None:
    while not done():
        conn.rollback()
        assert worker.poll() is None, worker.stderr and worker.stderr.read()


@pytest.mark.usefixtures("lightfast")
def test_a_killed_worker_loses_nothing_and_a_terminated_one_ends_well(
    database: Database, conn: Connection, programs: Programs
) -> None:
    link(conn)
    killed = start(programs, conn)
    arrive(conn, [TODAY], each=30)
    killed.kill()
    killed.wait()
    arrive(conn, [TODAY], each=5, first=1_000)
    worker = start(programs, conn)
    wait_until(worker, conn, lambda: not count(conn, "raw_queue"))
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=60) == 0
    assert worker.stderr is not None
    said = worker.stderr.read().decode().splitlines()
    assert [line.partition(" ")[0] for line in said] == ["worker:"] * 2
    assert count(conn, "observations") == 35
    assert not present(conn, [WORKER_CAPTURES])


def test_status_shows_whether_a_worker_is_at_work(
    lightfast: Lightfast, conn: Connection, programs: Programs
) -> None:
    assert lightfast.json("status")["worker"] == "none runs"
    start(programs, conn)
    assert lightfast.json("status")["worker"] == "at work"
