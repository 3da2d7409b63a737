"""Whether the machine's clock was set back while a process ran.

Dagster's daemon remembers when it last ticked, in its storage and in its memory, and asks for nothing
before that time has come again. So it has to begin anew, after `future_ticks` has corrected the storage.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable

# Less only delays a tick by as much.
SET_BACK_SECONDS = 30.0


class ClockGoesOn:
    """For `Children`: false once the clock was set back since it was first asked about a process."""

    def __init__(
        self,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._pid: int | None = None
        self._furthest = float("-inf")
        """How far the clock was ahead of the monotonic one at most."""

    def __call__(self, process: subprocess.Popen[bytes]) -> bool:
        ahead = self._clock() - self._monotonic()
        if process.pid != self._pid:
            self._pid, self._furthest = process.pid, ahead
        self._furthest = max(self._furthest, ahead)
        return self._furthest - ahead < SET_BACK_SECONDS
