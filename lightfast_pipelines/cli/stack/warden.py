"""The warden: a small process that ends a stack's processes when `up` is gone, however it ended.

A process that is killed with -9 cannot clean up, and Linux's parent-death signal reaches only its own
children, not what they started; macOS has no such signal. So every process of a stack has a mark in its
environment, which everything it starts inherits, and the warden waits for the end of a pipe that only
`up` holds open. It is run by its path and imports nothing of this project.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Mapping

import psutil

MARK = "LIGHTFAST_STACK"
HOME = "LIGHTFAST_HOME"
GRACE_SECONDS = 8.0
_LOOKS = 10


def marked(belongs: Callable[[Mapping[str, str]], bool]) -> list[psutil.Process]:
    """Living processes of a stack whose environment `belongs`; never this one or its parents."""
    spared = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    processes = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid in spared or process.status() == psutil.STATUS_ZOMBIE:
                continue
            environment = process.environ()
            if MARK in environment and belongs(environment):
                processes.append(process)
    return processes


def of_stack(mark: str) -> Callable[[Mapping[str, str]], bool]:
    """For `marked`: what one `up` started, or with `mark/name`, one of its programs."""
    return lambda environment: f"{environment[MARK]}/".startswith(f"{mark}/")


def of_home(home: str) -> Callable[[Mapping[str, str]], bool]:
    """For `marked`: what any `up` of this home started."""
    return lambda environment: environment.get(HOME) == home


def end(belongs: Callable[[Mapping[str, str]], bool], grace: float = GRACE_SECONDS) -> int:
    """Ends all that belong, by SIGTERM and after `grace` by SIGKILL; returns how many there were.

    Repeats until none is left, since a process may just have started another.
    """
    seen: set[int] = set()
    for _ in range(_LOOKS):
        family = marked(belongs)
        if not family:
            break
        new = [process for process in family if process.pid not in seen]
        seen |= {process.pid for process in new}
        for process in new:
            with contextlib.suppress(psutil.Error):
                process.terminate()
                # A suspended process gets the signal only when it continues.
                process.resume()
        _, left = psutil.wait_procs(family, timeout=grace if new else 0)
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(left, timeout=grace)
    return len(seen)


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    while os.read(sys.stdin.fileno(), 1024):
        pass
    end(of_stack(sys.argv[1]))


if __name__ == "__main__":
    main()
