"""Homes for real servers, clients to start and kill in them, and waiting with a deadline."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from lightfast_pipelines.embedded_postgres import EmbeddedPostgres, Lease

REPOSITORY = Path(__file__).parents[2]
DEADLINE_SECONDS = 60.0
FAST = {"fsync": "off"}

CLIENT = """
import json, sys
from pathlib import Path
from lightfast_pipelines.embedded_postgres import EmbeddedPostgres
import psycopg
lease = EmbeddedPostgres(Path(sys.argv[1]), **json.loads(sys.argv[2])).acquire()
url = lease.url("postgres", "postgres")
connection = psycopg.connect(url, autocommit=True)
[started] = connection.execute("select pg_postmaster_start_time()::text").fetchone()
print(json.dumps([url, started]), flush=True)
sys.stdin.read()
"""


def gone(process: psutil.Process) -> bool:
    """A zombie that nobody has reaped yet is as dead as can be."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def eventually(condition: Callable[[], Any], seconds: float = DEADLINE_SECONDS) -> Any:
    """The first true value of the condition; fails after the deadline."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds} s: {condition}")
        time.sleep(0.02)
    return result


@dataclass
class Home:
    """A LIGHTFAST_HOME and everything a test starts in it."""

    path: Path
    clients: list["subprocess.Popen[str]"] = field(default_factory=list)
    leases: list[Lease] = field(default_factory=list)

    def server(self, idle_seconds: float = 60.0, **settings: str) -> EmbeddedPostgres:
        return EmbeddedPostgres(self.path, idle_seconds=idle_seconds, settings=settings or FAST)

    def acquire(self, idle_seconds: float = 60.0, **settings: str) -> Lease:
        lease = self.server(idle_seconds, **settings).acquire(DEADLINE_SECONDS)
        self.leases.append(lease)
        return lease

    def client(self, idle_seconds: float = 60.0) -> "subprocess.Popen[str]":
        options = json.dumps({"idle_seconds": idle_seconds, "settings": FAST})
        client = subprocess.Popen(
            [sys.executable, "-c", CLIENT, str(self.path), options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(REPOSITORY), *sys.path])},
        )
        self.clients.append(client)
        return client

    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads((self.path / "postgres/state.json").read_text())
        return state

    def guardians(self) -> list[psutil.Process]:
        return [p for p in psutil.process_iter() if self._has_argument(p, "--home", self.path)]

    def postmasters(self) -> list[psutil.Process]:
        data_dir = self.server().status().data_dir
        servers = [p for p in psutil.process_iter() if self._has_argument(p, "-D", data_dir)]
        # A child has its postmaster's arguments until it sets its own title.
        pids = {server.pid for server in servers}
        return [server for server in servers if self._parent(server) not in pids]

    @staticmethod
    def _parent(process: psutil.Process) -> int:
        try:
            return process.ppid()
        except psutil.NoSuchProcess:
            return 0

    @staticmethod
    def _has_argument(process: psutil.Process, name: str, value: Path | None) -> bool:
        try:
            arguments = process.cmdline()
        except psutil.Error:
            return False
        return name in arguments and arguments[arguments.index(name) + 1 :][:1] == [str(value)]

    def kill_guardian(self) -> None:
        [guardian] = self.guardians()
        guardian.kill()
        eventually(lambda: gone(guardian))

    def kill_postgres(self) -> None:
        [postmaster] = self.postmasters()
        postmaster.kill()
        eventually(lambda: gone(postmaster))

    def close(self) -> None:
        """Ends everything the test started."""
        for client in self.clients:
            client.kill()
            client.communicate()
        for lease in self.leases:
            lease.release()
        assert self.server().stop(force=True)

    def remove(self) -> None:
        self.close()
        data_dir = self.server().status().data_dir
        if data_dir is not None and not data_dir.is_relative_to(self.path):
            shutil.rmtree(data_dir.parent)
        shutil.rmtree(self.path, ignore_errors=True)
