"""Whether a process of `up` that runs also does its work: one that hangs, or that somebody suspended,
stays alive and answers nobody."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable

import psutil

EVERY_SECONDS = 10.0
# A minute, or half a minute more where it takes connections and says nothing: a machine that is busy
# answers late, and who looks at a process with a debugger is quick.
MOST_FAILURES = 6
_ANSWER_SECONDS = 3.0

Process = subprocess.Popen[bytes]


class Answering:
    """Asks a process now and then; it no longer works once it failed so often in a row.

    Nothing is held against one that has not answered yet: it is starting.
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
        # By the clock after the answer: waiting for one is no reason to ask again at once.
        self._next = self._clock() + self._every
        return self._failures < MOST_FAILURES


def answers(url: str) -> Callable[[Process], bool]:
    """For `Answering`: whether an HTTP server answers, whatever it says."""

    def ask(process: Process) -> bool:
        import httpx

        # Whoever asks waits as well, and has others to look after.
        if not is_not_suspended(process):
            return False
        try:
            httpx.get(url, timeout=_ANSWER_SECONDS, trust_env=False)
        except httpx.HTTPError:
            return False
        return True

    return ask


def is_not_suspended(process: Process) -> bool:
    """For `Answering`: whether the process and everything it started may run.

    A run of Dagster's that is suspended holds its lock, and nothing is captured meanwhile.
    """
    try:
        parent = psutil.Process(process.pid)
        return all(
            each.status() != psutil.STATUS_STOPPED
            for each in (parent, *parent.children(recursive=True))
        )
    except psutil.Error:
        # It, or one of them, has just ended: its end is seen elsewhere.
        return True
