"""Whether a running process of `up` still works: one that hangs or is suspended does not answer."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable

import psutil

from lightfast_pipelines.cli.stack.local_client import local_client

EVERY_SECONDS = 10.0
# A minute, or a minute and a half if it accepts connections but does not answer: a busy machine answers
# late, and a debugger may stop a process for a moment.
MOST_FAILURES = 6
_ANSWER_SECONDS = 3.0

Process = subprocess.Popen[bytes]


class Answering:
    """Asks a process now and then, which counts as hanging after MOST_FAILURES failures in a row.

    Failures before its first answer do not count: it is still starting.
    """

    def __init__(
        self,
        ask: Callable[[Process], bool],
        *,
        every: float = EVERY_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask = ask
        self._every = every
        self._clock = clock
        self._pid: int | None = None
        self._has_answered = False
        self._failures = 0
        self._next = 0.0

    def __call__(self, process: Process) -> bool:
        if process.pid != self._pid:
            self._pid, self._has_answered, self._failures = process.pid, False, 0
            self._next = self._clock()
        if self._clock() < self._next:
            return True
        if self._ask(process):
            self._has_answered, self._failures = True, 0
        elif self._has_answered:
            self._failures += 1
        # From the time after the answer: a slow answer must not cause the next question at once.
        self._next = self._clock() + self._every
        return self._failures < MOST_FAILURES


def answers(url: str) -> Callable[[Process], bool]:
    """For `Answering`: whether an HTTP server answers, with any status."""

    def ask(process: Process) -> bool:
        import httpx

        # Spares the time-out: the caller watches other processes too.
        if not is_not_suspended(process):
            return False
        try:
            local_client().get(url, timeout=_ANSWER_SECONDS)
        except httpx.HTTPError:
            return False
        return True

    return ask


def is_not_suspended(process: Process) -> bool:
    """For `Answering`: whether neither the process nor anything it started is suspended.

    A suspended run of Dagster's keeps its lock, and nothing is captured meanwhile.
    """
    try:
        parent = psutil.Process(process.pid)
        return all(
            each.status() != psutil.STATUS_STOPPED
            for each in (parent, *parent.children(recursive=True))
        )
    except psutil.Error:
        # One of them has just ended, which is noticed elsewhere.
        return True
