"""Which fault comes when: made of the seed alone, before anything starts.

`faults.py` knows how each kind is done.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

KINDS = (
    "kill receiver",
    "kill database",
    "kill backend",
    "kill guardian",
    "kill daemon",
    "kill code server",
    "kill up",
    "hang database",
    "hang receiver",
    "end sessions",
    "cut connections",
    "full disk",
    "clock jump",
    "slow clients",
)
# What captures: with a worker there is hardly ever a run.
WORKER_KINDS = ("kill worker", "hang worker")
RUN_KINDS = ("kill run", "hang run")

# How long a fault lasts, for those that last: at least and at most, in seconds.
# The receiver gives a statement 9 seconds, so that a database may hang for less or for more.
_LASTING = {
    "hang database": (2.0, 12.0),
    "hang receiver": (2.0, 12.0),
    "hang worker": (2.0, 12.0),
    "hang run": (2.0, 12.0),
    "cut connections": (3.0, 6.0),
    "full disk": (3.0, 8.0),
    "clock jump": (4.0, 8.0),
    "slow clients": (5.0, 9.0),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """`at` and `seconds` are seconds, counted from the start of the load; `choice` is in [0, 1)."""

    number: int
    kind: str
    at: float
    seconds: float
    choice: float
    """Decides what the kind leaves open: which process, which session, how far a clock jumps."""

    def __str__(self) -> str:
        lasts = f" for {self.seconds:.1f} s" if self.seconds else ""
        return f"{self.number:>2}. at {self.at:5.1f} s: {self.kind}{lasts}"


class Pace:
    """The time of load and faults, in seconds. It stands still where faults take longer than planned, so
    that no fault comes after the load."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def now(self) -> float:
        return time.monotonic() - self._began

    async def until(self, at: float) -> None:
        while (left := at - self.now()) > 0:  # noqa: ASYNC110 - the time may be turned back
            await asyncio.sleep(min(left, 0.2))

    def not_after(self, at: float) -> None:
        """Turns the time back to `at` if it is later."""
        self._began += max(0.0, self.now() - at)


def make_schedule(seed: int, seconds: float, kinds: Sequence[str], *, more: int = 0) -> list[Fault]:
    """Each kind once and `more` of any kind, in random order, spread over `seconds`."""
    chance = random.Random(f"faults {seed}")
    wanted = [*kinds, *chance.choices(kinds, k=more)]
    chance.shuffle(wanted)
    # Every fault has a slot of its own, and begins anywhere in its first half.
    slot = seconds / len(wanted)
    return [
        Fault(
            number,
            kind,
            (number - 1 + chance.uniform(0.0, 0.5)) * slot,
            chance.uniform(*_LASTING[kind]) if kind in _LASTING else 0.0,
            chance.random(),
        )
        for number, kind in enumerate(wanted, 1)
    ]
