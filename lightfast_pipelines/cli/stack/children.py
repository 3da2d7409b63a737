"""Child processes of `up` and `demo`: starts and restarts them, and ends them with all they started.

`processes` lists which processes there are.
"""

from __future__ import annotations

import itertools
import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from lightfast_pipelines.cli.console import say
from lightfast_pipelines.cli.root import Failure
from lightfast_pipelines.cli.stack import warden
from lightfast_pipelines.embedded_postgres.private_folders import make_private

GRACE_SECONDS = warden.GRACE_SECONDS
# A child that dies is restarted at once. If it dies again before it has run for STEADY_SECONDS, the pause
# before a restart doubles. Five deaths within a minute mean that it cannot run at all; one that dies less
# often gets some work done in between and is restarted for ever.
MOST_DEATHS = 5
DEATHS_WITHIN_SECONDS = 60.0
STEADY_SECONDS = 600.0
LONGEST_PAUSE_SECONDS = 300.0
# For a vital child: deliveries that it does not receive meanwhile come again late or never.
VITAL_LONGEST_PAUSE_SECONDS = 30.0
LOG_BYTES = 5 * 1024 * 1024
KEPT_LOGS = 3
TAIL_LINES = 12
_POLL_SECONDS = 0.2
_PR_SET_PDEATHSIG = 1


class StopRequest:
    """Whether the user or a service manager has asked to stop (Ctrl-C, SIGTERM, SIGHUP)."""

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
        """Sleeps, but not longer than until a stop is asked for; returns whether it is."""
        return self._event.wait(seconds)


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Handles the signals that end a program.

    This also matters to the children. A signal that this process ignores (a shell starts `&` jobs
    with SIGINT ignored) would be ignored in them too, and Dagster would then ignore SIGTERM as well.
    A signal with a handler has its default again in a new program.
    """
    stop = StopRequest()
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
    start: Callable[[], subprocess.Popen[bytes]]
    works: Callable[[subprocess.Popen[bytes]], bool] | None
    """Whether it still does its work; a process that runs but does not counts as dead."""
    is_vital: bool
    """Restarted however often it dies."""
    before_restart: Callable[[], None] | None
    deaths: deque[float] = field(default_factory=deque)
    """Its deaths within the last minute."""
    deaths_in_a_row: int = 0
    """Its deaths since it last ran for STEADY_SECONDS."""
    deaths_in_all: int = 0
    died_last: datetime | None = None
    alive_since: float | None = None
    """When it was first seen alive, by the clock of `mend`."""
    again_at: float | None = None
    """When it is restarted, if it is dead."""
    is_given_up: bool = False

    def is_alive(self) -> bool:
        return self.process.poll() is None

    def epitaph(self) -> str:
        """How it ended, and the end of its log."""
        code = self.process.poll()
        if code is None:
            how = (
                "runs but no longer works (it does not answer, is suspended, has lost a process that it "
                "needs, or the machine's clock was set back), and is ended"
            )
        elif code < 0:
            how = f"was killed by signal {-code}"
        else:
            how = f"ended with exit code {code}"
        return f"{self.name} {how}; the end of {self.log}:\n{self.tail()}"

    def tail(self) -> str:
        lines = (
            self.log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
            if self.log.exists()
            else []
        )
        return "\n".join(f"  {line}" for line in lines) or "  (empty)"


class Children:
    """The processes of one `up`, each in its own process group: Ctrl-C reaches only this process."""

    def __init__(
        self, logs: Path, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._logs = logs
        self._clock = clock
        self._running: list[Child] = []
        self._mark = secrets.token_hex(8)
        self._warden: subprocess.Popen[bytes] | None = None

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        folder: Path,
        works: Callable[[subprocess.Popen[bytes]], bool] | None = None,
        is_vital: bool = False,
        before_restart: Callable[[], None] | None = None,
    ) -> Child:
        make_private(self._logs)
        self._keep_warden()
        log = self._logs / f"{name}.log"
        log.write_bytes(b"")
        marked = {**environment, warden.MARK: f"{self._mark}/{name}"}

        def start() -> subprocess.Popen[bytes]:
            # Appending, so that after the file was emptied a child writes from its beginning.
            with log.open("ab") as output:
                return _start(command, marked, folder, output)

        child = Child(name, start(), log, start, works, is_vital, before_restart)
        self._running.append(child)
        return child

    def dead(self) -> Child | None:
        """A child that has ended by itself, if there is one."""
        return next((child for child in self._running if not child.is_alive()), None)

    def mend(self, now: float | None = None) -> None:
        """Restarts children that died, after longer pauses each time, or gives up on them.

        `now` is a time of a monotonic clock. Must be called from the main thread: Linux ends a child
        with the thread that started it.
        """
        now = time.monotonic() if now is None else now
        self._keep_warden()
        for child in self._running:
            self._mend(child, now)

    def _mend(self, child: Child, now: float) -> None:
        if child.is_given_up:
            return
        if child.again_at is None:
            if child.alive_since is None:
                child.alive_since = now
            if child.is_alive() and (child.works is None or child.works(child.process)):
                return
            self._bury(child, now)
        if child.again_at is not None and now >= child.again_at:
            child.process = child.start()
            child.again_at, child.alive_since = None, now
            say(f"{child.name} is started again")

    def _bury(self, child: Child, now: float) -> None:
        """Ends what a dead child left running, and decides whether and when to restart it.

        That takes seconds, and longer on a busy machine; vital children are restarted meanwhile.
        """
        epitaph = child.epitaph()
        began = time.monotonic()
        with ThreadPoolExecutor(1) as threads:
            burial = threads.submit(self._end_remains, child)
            while not wait([burial], timeout=_POLL_SECONDS).done:
                for other in self._running:
                    if other.is_vital and not child.is_vital and not other.is_alive():
                        self._mend(other, now + time.monotonic() - began)
        burial.result()
        child.deaths.append(now)
        while now - child.deaths[0] > DEATHS_WITHIN_SECONDS:
            child.deaths.popleft()
        ran = 0.0 if child.alive_since is None else now - child.alive_since
        child.deaths_in_a_row = 1 if ran >= STEADY_SECONDS else child.deaths_in_a_row + 1
        child.deaths_in_all += 1
        child.died_last = self._clock()
        count = len(child.deaths)
        if child.is_vital or count < MOST_DEATHS:
            pause = _pause(child)
            child.again_at = now + pause
            say(epitaph)
            if child.deaths_in_a_row > 1:
                say(
                    f"{child.name} ended {child.deaths_in_a_row} times in a row without running for "
                    f"{STEADY_SECONDS / 60:.0f} minutes in between: it is started again in {pause:.0f} s"
                )
        else:
            child.is_given_up = True
            say(
                f"{epitaph}\n{child.name} ended {count} times within {DEATHS_WITHIN_SECONDS:.0f} s and is "
                "not started again. Deliveries are still received and stored. Fix the error in its log, then "
                "end `lightfast up` with Ctrl-C and start it again; until then, `lightfast process` processes "
                "what is waiting"
            )

    def _end_remains(self, child: Child) -> None:
        warden.end(warden.of_stack(f"{self._mark}/{child.name}"))
        child.process.wait()
        if child.before_restart is not None:
            child.before_restart()

    def states(self) -> dict[str, str]:
        """The state of each child: running, restarting, or given up."""
        return {
            child.name: "given up"
            if child.is_given_up
            else "running"
            if child.again_at is None and child.is_alive()
            else "restarting"
            for child in self._running
        }

    def deaths(self) -> dict[str, str]:
        """For each child that ever died: how often, when last, and what followed."""
        return {child.name: _deaths(child) for child in self._running if child.died_last}

    def pid_of(self, name: str) -> int:
        return self._named(name).process.pid

    def join(self, name: str) -> None:
        """Waits until the child of this name has ended."""
        self._named(name).process.wait()

    def _named(self, name: str) -> Child:
        return next(child for child in self._running if child.name == name)

    def rotate_logs(self, max_bytes: int = LOG_BYTES) -> None:
        """Moves the contents of a log over `max_bytes` to NAME.log.1, that to .2, and so on to .3.

        Children keep their file open, so it is copied and truncated, as by logrotate's `copytruncate`.
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
        self,
        what: str,
        ready: Callable[[], bool],
        *,
        stop: StopRequest,
        timeout: float,
        mending: bool = False,
    ) -> None:
        """Waits until `ready()`; fails after `timeout` seconds, or if a child dies and is not restarted."""
        deadline = time.monotonic() + timeout
        while not ready():
            self.rotate_logs()
            if mending:
                self.mend()
            dead = self.dead()
            if dead is not None and (not mending or dead.is_given_up):
                raise Failure(dead.epitaph())
            if time.monotonic() > deadline:
                raise Failure(f"{what} was not ready after {timeout:.0f} s; logs: {self._logs}")
            if stop.wait(_POLL_SECONDS):
                return

    def end(self) -> None:
        """Ends all of them and everything they started; returns when nothing is left."""
        warden.end(warden.of_stack(self._mark), GRACE_SECONDS)
        for child in self._running:
            child.process.wait()
        self._running.clear()
        if self._warden is not None:
            assert self._warden.stdin is not None
            self._warden.stdin.close()
            self._warden.wait()
            self._warden = None

    def _keep_warden(self) -> None:
        """The warden ends the others if this process is killed. If it is killed itself, it is replaced."""
        if self._warden is not None and self._warden.poll() is None:
            return
        if self._warden is not None and self._warden.stdin is not None:
            self._warden.stdin.close()
        self._warden = subprocess.Popen(
            # -P: its folder must not shadow modules of the standard library.
            [sys.executable, "-P", warden.__file__, self._mark],
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )


def _pause(child: Child) -> float:
    """Seconds until the restart: 0, 1, 2, 4 and so on."""
    longest = VITAL_LONGEST_PAUSE_SECONDS if child.is_vital else LONGEST_PAUSE_SECONDS
    if child.deaths_in_a_row == 1:
        return 0.0
    return min(2.0 ** min(child.deaths_in_a_row - 2, 16), longest)


def _deaths(child: Child) -> str:
    assert child.died_last is not None
    row = f", {child.deaths_in_a_row} of them in a row" if child.deaths_in_a_row > 1 else ""
    text = f"{child.deaths_in_all}{row}; last at {child.died_last:%Y-%m-%d %H:%M:%S} UTC"
    if child.is_given_up:
        return f"{text}, and not started again"
    return f"{text}, started again after {_pause(child):.0f} s; see {child.log}"


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
        preexec_fn=_end_with_parent() if sys.platform == "linux" else None,  # noqa: PLW1509 - see there
    )


def _end_with_parent() -> Callable[[], object]:
    """Asks Linux for SIGTERM if the parent is killed with -9, which runs no clean-up.

    Everything is loaded before the fork: a lock that another thread holds stays locked in the child.
    """
    import ctypes

    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
