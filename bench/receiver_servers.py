"""Runs what is measured: the receiver or the bare route, one process or several, on a port of their own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg

from bench.receiver_deliveries import SECRET_SETTINGS
from lightfast_pipelines.store.database import Database

SECRET = "bench-secret"  # noqa: S105 - signs nothing but this run's own load
RECEIVER, BARE = "receiver", "bare route"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def process(
    command: list[str],
    port: int,
    log: Path,
    environment: Mapping[str, str],
    preexec: Callable[[], None] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a server until the block ends; the block begins when it accepts connections."""
    with log.open("ab") as stream:
        server = subprocess.Popen(
            [sys.executable, *command],
            env={**os.environ, **environment},
            stderr=stream,
            preexec_fn=preexec,  # noqa: PLW1509 - one thread only here
        )
    try:
        deadline = time.monotonic() + 30
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if server.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{command} did not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.05)
        yield server
    finally:
        server.terminate()
        server.wait(30)


def receiver_environment(home: Path, port: int, workers: int = 1) -> dict[str, str]:
    return {
        "LIGHTFAST_HOME": str(home),
        "LIGHTFAST_RECEIVER_PORT": str(port),
        "LIGHTFAST_RECEIVER_WORKERS": str(workers),
        "LIGHTFAST_METRICS_ADDRESS": "off",
        **dict.fromkeys(SECRET_SETTINGS.values(), SECRET),
    }


@dataclass(slots=True)
class Server:
    """What runs, and its sessions in the database, which it shares with nobody."""

    port: int
    processes: list[psutil.Process]
    conn: psycopg.Connection[Any]
    sessions_before: set[int]

    def cpu_seconds(self) -> tuple[float, float]:
        """Of its processes, and of its sessions' Postgres processes."""
        sessions = _sessions(self.conn) - self.sessions_before
        of_sessions = [psutil.Process(pid) for pid in sessions if psutil.pid_exists(pid)]
        return _cpu_seconds(self.processes), _cpu_seconds(of_sessions)


@contextmanager
def running(
    name: str, home: Path, database: Database, conn: psycopg.Connection[Any], workers: int = 1
) -> Iterator[Server]:
    """`conn` has the rights of the tables' owner."""
    port, before = free_port(), _sessions(conn)
    with ExitStack() as stack:
        started = []
        if name == RECEIVER:
            environment = receiver_environment(home, port, workers)
            command = ["-m", "webhook_receiver"]
            started.append(stack.enter_context(process(command, port, home / "log", environment)))
            _wait_until_ready(port)
        else:
            command = ["-m", "bench.receiver_bare", database.url("migrator"), SECRET, str(port)]
            for _ in range(workers):
                started.append(stack.enter_context(process(command, port, home / "log", {})))
        processes = [psutil.Process(server.pid) for server in started]
        processes += [child for server in processes for child in server.children()]
        yield Server(port, processes, conn, before)


def _wait_until_ready(port: int) -> None:
    deadline = time.monotonic() + 30
    while httpx.get(f"http://127.0.0.1:{port}/readyz").status_code != 200:
        if time.monotonic() > deadline:
            raise SystemExit("the receiver did not reach its database")
        time.sleep(0.05)


def _sessions(conn: psycopg.Connection[Any]) -> set[int]:
    rows = conn.execute(
        """
        SELECT pid FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()
        """
    ).fetchall()
    conn.commit()
    return {int(row[0]) for row in rows}


def _cpu_seconds(processes: Iterable[psutil.Process]) -> float:
    total = 0.0
    for measured in processes:
        # One that ended meanwhile was not part of the load.
        with suppress(psutil.NoSuchProcess):
            times = measured.cpu_times()
            total += times.user + times.system
    return total
