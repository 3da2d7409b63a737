"""Counts what the receiver does, in cells that another process can read.

Each worker adds to cells of its own, in memory that it shares with the parent: a plain addition, without
a lock, and a worker that dies leaves its counts behind. Every label is from a list that is known here,
so nobody outside can add a series. `exposition.py` makes them readable for Prometheus.
"""

from __future__ import annotations

import mmap
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

NO_PROVIDER = "none"
"""The label of requests that name no known provider."""
OUTCOMES = ("new", "duplicate", "refused", "failed")
KINDS = {
    400: "malformed",
    401: "not verified",
    404: "unknown path",
    405: "wrong method",
    408: "too slow",
    413: "body too large",
    414: "path too long",
    417: "unsupported",
    431: "head too large",
    499: "client gone",
    500: "unexpected error",
    501: "unsupported",
    503: "busy or database away",
}
"""What a status other than 200 is counted as."""
OTHER_KIND = "other"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
ROWS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)


class Cells(Protocol):
    """Numbers by position: an array, or memory that processes share."""

    def __getitem__(self, position: int, /) -> float: ...

    def __setitem__(self, position: int, value: float, /) -> None: ...

    def __iter__(self) -> Iterator[float]: ...


def mapped_cells(descriptor: int) -> Cells:
    """The shared memory behind the descriptor."""
    return memoryview(mmap.mmap(descriptor, 0)).cast("d")


class Layout:
    """Which cell holds what. Equal lists of providers give equal layouts."""

    def __init__(self, providers: Iterable[str]) -> None:
        self.size = 0
        self.providers = (*sorted(providers), NO_PROVIDER)
        self.kinds = (*dict.fromkeys(KINDS.values()), OTHER_KIND)
        self.outcomes = {name: self._place(len(OUTCOMES)) for name in self.providers}
        self.body_bytes = {name: self._place(1) for name in self.providers}
        self.answer_seconds = {name: self._histogram(SECONDS) for name in self.providers}
        self.refusals = {kind: self._place(1) for kind in self.kinds}
        self.commit_rows = self._histogram(ROWS)
        self.commit_seconds = self._histogram(SECONDS)
        self.failed_commits = self._place(1)
        self.gauges = self._place(3)
        self.connections, self.inflight_bytes, self.database = range(self.gauges, self.size)

    def _place(self, size: int) -> int:
        start, self.size = self.size, self.size + size
        return start

    def _histogram(self, bounds: Sequence[float]) -> int:
        """A count for each bound and one beyond, and the sum of the values."""
        return self._place(len(bounds) + 2)

    def clear_gauges(self, cells: Cells) -> None:
        """For a worker that is gone: its counts stay, and it has no connections any more."""
        for position in range(self.gauges, self.size):
            cells[position] = 0.0


class Metrics:
    """What one worker counts; without `cells`, in memory of its own."""

    def __init__(self, providers: Iterable[str] = (), cells: Cells | None = None) -> None:
        self.layout = Layout(providers)
        self.cells: Cells = array("d", bytes(8 * self.layout.size)) if cells is None else cells

    def answered(
        self, provider: object, status: int, *, is_duplicate: bool, size: int, seconds: float
    ) -> None:
        """A request to the webhooks was answered, so long after its first byte.

        `provider` is what its path names; it counts only if it is known.
        """
        layout, cells = self.layout, self.cells
        name = (
            provider if isinstance(provider, str) and provider in layout.outcomes else NO_PROVIDER
        )
        outcome = is_duplicate if status == 200 else 2 + (status >= 500)
        cells[layout.outcomes[name] + outcome] += 1.0
        cells[layout.body_bytes[name]] += size
        self._observe(layout.answer_seconds[name], SECONDS, seconds)
        if status != 200:
            self.refused(status)

    def refused(self, status: int) -> None:
        """A request was refused, at the gate or behind it."""
        self.cells[self.layout.refusals[KINDS.get(status, OTHER_KIND)]] += 1.0

    def committed(self, rows: int, seconds: float) -> None:
        self._observe(self.layout.commit_rows, ROWS, float(rows))
        self._observe(self.layout.commit_seconds, SECONDS, seconds)

    def commit_failed(self) -> None:
        self.cells[self.layout.failed_commits] += 1.0

    def room_is(self, connections: int, inflight_bytes: int) -> None:
        self.cells[self.layout.connections] = float(connections)
        self.cells[self.layout.inflight_bytes] = float(inflight_bytes)

    def database_is(self, *, connected: bool) -> None:
        self.cells[self.layout.database] = float(connected)

    def _observe(self, start: int, bounds: Sequence[float], value: float) -> None:
        self.cells[start + bisect_left(bounds, value)] += 1.0
        self.cells[start + len(bounds) + 1] += value
