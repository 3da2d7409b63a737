"""Programs that a test starts; they end with everything they started, however the test ends.

Processes that leave their group, session and parent are found by a mark in their environment, which
they inherit.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import psutil

_MARK = "MARK_OF_A_TESTS_PROGRAMS"


class Programs:
    """Starts programs of one test."""

    def __init__(self) -> None:
        self._mark = secrets.token_hex(8)
        self._started: list[subprocess.Popen[bytes]] = []

    def start(
        self,
        command: Sequence[str],
        environment: Mapping[str, str] | None = None,
        **options: Any,
    ) -> subprocess.Popen[bytes]:
        variables = {**(os.environ if environment is None else environment), _MARK: self._mark}
        process = subprocess.Popen(list(command), env=variables, **options)
        self._started.append(process)
        return process

    def left(self) -> list[psutil.Process]:
        """The processes of these programs, and those they started, that still run."""
        running = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if (
                    process.status() != psutil.STATUS_ZOMBIE
                    and process.environ().get(_MARK) == self._mark
                ):
                    running.append(process)
        return running

    def end(self) -> None:
        """Repeats until none is left, since a killed process may just have started another."""
        while left := self.left():
            for process in left:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            psutil.wait_procs(left)
        for started in self._started:
            started.wait()
            for stream in (started.stdin, started.stdout, started.stderr):
                if stream is not None:
                    with contextlib.suppress(BrokenPipeError):
                        stream.close()


@contextmanager
def programs_of_a_test() -> Iterator[Programs]:
    programs = Programs()
    try:
        yield programs
    finally:
        programs.end()
