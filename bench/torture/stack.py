"""The `lightfast up` under torture, in a home of its own: starts it, finds its processes, ends it.

Like a service manager, it starts `up` again whenever it ends by itself.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import httpx
import psutil

from bench.receiver_deliveries import SECRET_SETTINGS
from bench.receiver_servers import free_port
from bench.torture import LIGHTFAST
from lightfast_pipelines.cli.stack.warden import MARK, marked, of_home
from lightfast_pipelines.embedded_postgres import EmbeddedPostgres
from lightfast_pipelines.embedded_postgres.control import ControlFolder
from lightfast_pipelines.embedded_postgres.postmaster import processes_in

SECRET = "torture-secret"  # noqa: S105 - signs nothing but this run's own load
_READY = "Ctrl-C ends everything"
_RUN = re.compile(r"multiprocessing|execute_run")


class StackError(Exception):
    """`lightfast up` did not do in time what it has to; the message says what."""


class Stack:
    def __init__(self, home: Path, logs: Path, environment: Mapping[str, str]) -> None:
        self.home = home
        self.receiver_port = free_port()
        self.dagster_port = free_port()
        self.log = logs / "up.log"
        self.postmasters: set[int] = set()
        """Every postmaster that was seen."""
        self.shared_memory: set[str] = set()
        """Every file in /dev/shm that a process of the database was seen to use."""
        self.starts = 0
        self.environment = plain_environment(home) | {
            **environment,
            "LIGHTFAST_RECEIVER_PORT": str(self.receiver_port),
            "LIGHTFAST_DAGSTER_PORT": str(self.dagster_port),
            **dict.fromkeys(SECRET_SETTINGS.values(), SECRET),
        }
        self._up: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.starts += 1
        with self.log.open("ab") as output:
            output.write(f"--- start {self.starts} at {time.strftime('%H:%M:%S')}\n".encode())
            output.flush()
            self._up = subprocess.Popen(
                [*LIGHTFAST, "up"],
                env=self.environment,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def start_again_if_ended(self) -> bool:
        """Whether it had ended."""
        if self._up is None or self._up.poll() is None:
            return False
        self.start()
        return True

    async def wait_until_ready(self, seconds: float) -> None:
        """Until the latest start is complete and the receiver is ready."""
        deadline = time.monotonic() + seconds
        while not (self._is_started() and await self.is_ready()):
            if time.monotonic() > deadline:
                raise StackError(f"not ready after {seconds:.0f} s")
            self.start_again_if_ended()
            await asyncio.sleep(0.2)

    def _is_started(self) -> bool:
        return _READY in self.log.read_text(errors="replace").rpartition("--- start")[2]

    async def is_ready(self) -> bool:
        async with httpx.AsyncClient(timeout=2.0, trust_env=False) as client:
            try:
                answer = await client.get(f"http://127.0.0.1:{self.receiver_port}/readyz")
            except httpx.HTTPError:
                return False
        return answer.is_success

    async def stop(self, seconds: float) -> None:
        """Ends `up` as Ctrl-C does."""
        up, self._up = self._up, None
        if up is None:
            return
        up.send_signal(signal.SIGINT)
        try:
            await asyncio.to_thread(up.wait, seconds)
        except subprocess.TimeoutExpired as error:
            raise StackError(f"`lightfast up` did not end within {seconds:.0f} s") from error

    def end_everything(self) -> None:
        """Whatever is left, for the end of a run that failed."""
        if self._up is not None:
            self._up.kill()
            self._up.wait()
        for process in self.processes():
            with suppress(psutil.Error):
                process.kill()
        EmbeddedPostgres(self.home).stop(force=True)

    # The processes.

    def up(self) -> psutil.Process | None:
        return psutil.Process(self._up.pid) if self._up and self._up.poll() is None else None

    def processes(self) -> list[psutil.Process]:
        """Everything that `up` started, except the database."""
        return marked(of_home(str(self.home)))

    def named(self, name: str) -> list[psutil.Process]:
        """The processes of one program of `up`, such as `receiver`."""
        found = []
        for process in self.processes():
            with suppress(psutil.Error, OSError):
                if process.environ()[MARK].partition("/")[2] == name:
                    found.append(process)
        return found

    def runs(self) -> list[psutil.Process]:
        """The processes that execute runs of Dagster: children of the one that holds the code."""
        found = []
        for process in self.named("dagster-code-server"):
            with suppress(psutil.Error):
                parent = process.parent()
                if (
                    parent
                    and "grpc" in parent.cmdline()
                    and _RUN.search(" ".join(process.cmdline()))
                ):
                    found.append(process)
        return [p for p in found if "resource_tracker" not in " ".join(p.cmdline())]

    def guardian(self) -> psutil.Process | None:
        state = ControlFolder(self.home).state()
        with suppress(psutil.Error):
            if state is not None:
                process = psutil.Process(state.guardian_pid)
                if "lightfast_pipelines.embedded_postgres.guardian" in process.cmdline():
                    return process
        return None

    def is_database_inside(self) -> bool:
        """Whether the home holds the database's files, which its own user may not be able to reach."""
        identity = ControlFolder(self.home).identity()
        return identity is not None and Path(identity.place).is_relative_to(self.home)

    def database(self) -> list[psutil.Process]:
        """Every process of the database, the postmaster first; notes what they use."""
        identity = ControlFolder(self.home).identity()
        if identity is None:
            return []
        parents: dict[psutil.Process, int] = {}
        for process in processes_in(Path(identity.place) / "data"):
            with suppress(psutil.Error):
                parents[process] = process.ppid()
        pids = {process.pid for process in parents}
        found = sorted(parents, key=lambda each: (parents[each] in pids, each.pid))
        if found:
            self.postmasters.add(found[0].pid)
        for process in found:
            with suppress(OSError):
                maps = Path(f"/proc/{process.pid}/maps").read_text()
                self.shared_memory |= set(re.findall(r"/dev/shm/PostgreSQL\.\d+", maps))  # noqa: S108 - read only
        return found


def plain_environment(home: Path) -> dict[str, str]:
    """This environment with the home, and without any other database, key or setting."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LIGHTFAST_", "DAGSTER", "PG")) and not name.endswith("_API_KEY")
    }
    return {**kept, "LIGHTFAST_HOME": str(home), "PYTHONUNBUFFERED": "1"}
