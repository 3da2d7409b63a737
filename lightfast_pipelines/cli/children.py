"""Child processes of `up` and `demo`: started, watched, and ended with everything they started.

Knows processes and log files only; which processes these are stands in `stack.py`.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from lightfast_pipelines.cli.root import Failure
from lightfast_pipelines.store.private_folders import make_private

GRACE_SECONDS = 8.0
LOG_BYTES = 5 * 1024 * 1024
KEPT_LOGS = 3
TAIL_LINES = 12
_POLL_SECONDS = 0.2
_PR_SET_PDEATHSIG = 1


class Stop:
    """Whether the user, or a service manager, has asked to end (Ctrl-C, SIGTERM, SIGHUP)."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.asked_by: str | None = None
        """Name of the signal that asked."""

    def ask(self, name: str) -> None:
        self.asked_by = name
        self._event.set()

    def is_asked(self) -> bool:
        return self._event.is_set()

    def wait(self, seconds: float) -> bool:
        """Sleeps, but no longer than until the end is asked for; returns whether it is."""
        return self._event.wait(seconds)


@contextmanager
def stop_on_signals() -> Iterator[Stop]:
    """Handlers for the signals that end a program.

    They also matter to the children: a signal that this process ignores (a shell starts `&` jobs
    with SIGINT ignored) would stay ignored in them, and Dagster then ignores SIGTERM too; one that
    has a handler is back at its default in a new program.
    """
    stop = Stop()
    names = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {
        name: signal.signal(name, lambda number, _: stop.ask(signal.Signals(number).name))
        for name in names
    }
    try:
        yield stop
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


@dataclass(slots=True)
class Child:
    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def is_alive(self) -> bool:
        return self.process.poll() is None

    def epitaph(self) -> str:
        """How it ended and the end of its log: what a person needs to see."""
        code = self.process.poll()
        how = (
            f"was killed by signal {-code}"
            if code is not None and code < 0
            else f"ended with exit code {code}"
        )
        return f"{self.name} {how}; the end of {self.log}:\n{self.tail()}"

    def tail(self) -> str:
        lines = (
            self.log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
            if self.log.exists()
            else []
        )
        return "\n".join(f"  {line}" for line in lines) or "  (empty)"


class Children:
    """The processes of one `up`. Each has a process group of its own: Ctrl-C reaches us alone."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: list[Child] = []

    def start(
        self, name: str, command: Sequence[str], *, environment: Mapping[str, str], folder: Path
    ) -> Child:
        make_private(self._logs)
        log = self._logs / f"{name}.log"
        log.write_bytes(b"")
        # Appending, so that a child goes on at the beginning of a file that was emptied.
        with log.open("ab") as output:
            child = Child(name, _start(command, environment, folder, output), log)
        self._running.append(child)
        return child

    def dead(self) -> Child | None:
        """A child that ended by itself, if any did."""
        return next((child for child in self._running if not child.is_alive()), None)

    def rotate_logs(self, max_bytes: int = LOG_BYTES) -> None:
        """Moves what a log over `max_bytes` holds to NAME.log.1, that to .2, and so on to .3.

        Children keep their file open, so it is copied and emptied, as logrotate's `copytruncate` does.
        """
        for child in self._running:
            if child.log.stat().st_size <= max_bytes:
                continue
            older = [Path(f"{child.log}.{number}") for number in range(1, KEPT_LOGS + 1)]
            for newer, oldest in reversed(list(itertools.pairwise(older))):
                if newer.exists():
                    newer.replace(oldest)
            shutil.copyfile(child.log, older[0])
            os.truncate(child.log, 0)

    def wait_until(
        self, what: str, ready: Callable[[], bool], *, stop: Stop, timeout: float
    ) -> None:
        """Until `ready()`; fails as soon as a child dies, or after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while not ready():
            self.rotate_logs()
            dead = self.dead()
            if dead is not None:
                raise Failure(dead.epitaph())
            if time.monotonic() > deadline:
                raise Failure(f"{what} was not ready after {timeout:.0f} s; logs: {self._logs}")
            if stop.wait(_POLL_SECONDS):
                return

    def end(self) -> None:
        """Ends all of them with everything they started; returns when nothing is left."""
        family = self._family()
        for child in self._running:
            # Not by its number: one that has ended has none, and another process may have it by now.
            child.process.terminate()
        parents = {child.process.pid for child in self._running}
        _wait([process for process in family if process.pid in parents], GRACE_SECONDS)
        # What they started goes with them, a session of its own or not.
        for process in (left := _wait(family, 0)):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
        for process in _wait(left, 3.0):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        for child in self._running:
            child.process.wait()
        self._running.clear()

    def _family(self) -> list[psutil.Process]:
        family: list[psutil.Process] = []
        for child in self._running:
            with contextlib.suppress(psutil.NoSuchProcess):
                process = psutil.Process(child.process.pid)
                family += [process, *process.children(recursive=True)]
        return family


def _wait(family: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    _, alive = psutil.wait_procs(family, timeout=seconds)
    return list(alive)


def _start(
    command: Sequence[str], environment: Mapping[str, str], folder: Path, output: IO[bytes]
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        list(command),
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=_end_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 - one thread only here
    )


def _end_with_parent() -> None:
    """Asks Linux for SIGTERM should the parent be killed with -9, which runs no clean-up of ours."""
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
