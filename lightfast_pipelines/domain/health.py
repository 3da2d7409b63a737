"""Which measured figures of the running pipeline are beyond their limits.

The limits are far from what a healthy pipeline shows, so that a breach means that somebody should look.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

_MB = 1_000_000
_GB = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Figure:
    """Something measured; `subject` is the provider, stage, table or model that it is about, or empty."""

    name: str
    subject: str
    value: float

    @property
    def kind(self) -> str:
        """What it measures of what; there is at most one figure of a kind."""
        return f"{self.name} {self.subject}".strip()


@dataclass(frozen=True, slots=True)
class HealthLimit:
    """The largest value of a figure that is in order, or with `at_least` the smallest.

    Without a subject it holds for each subject of the figure.
    """

    name: str
    value: float
    unit: str
    meaning: str
    subject: str = ""
    at_least: bool = False

    def is_exceeded_by(self, figure: Figure) -> bool:
        if figure.name != self.name or self.subject not in ("", figure.subject):
            return False
        return figure.value < self.value if self.at_least else figure.value > self.value


@dataclass(frozen=True, slots=True)
class Exceeded:
    """A figure that is beyond its limit; of one `kind` there is at most one."""

    kind: str
    what: str
    value: float
    limit: float


LIMITS = (
    # A run begins within seconds; a quarter of an hour means that runs fail, or that none begins.
    HealthLimit("oldest_pending", 900, "s", "the oldest delivery waits to be captured", "capture"),
    # A model that is away, or a backlog that is caught up with, may take a while.
    HealthLimit("oldest_pending", 3600, "s", "the oldest observation waits for vectors", "embeddings"),
    HealthLimit("oldest_pending", 3600, "s", "the oldest observation waits for a cluster", "clusters"),
    # Of the last day's deliveries; a sensor and a run take 20.
    HealthLimit("received_to_queryable_p95", 120, "s", "one delivery in 20 could be queried this late"),
    # At fifty deliveries a second without a pause a day's runs write half of it.
    HealthLimit("event_log_day", 300 * _MB, "bytes", "Dagster's events of the last day"),
    # The embedded server keeps at most half of that, and that only during a load. More means that
    # checkpoints fail, or that a replica or an archive that is away holds the log.
    HealthLimit("wal_size", 2 * _GB, "bytes", "the write-ahead log that the server keeps"),
    HealthLimit("disk_free", 1 * _GB, "bytes", "free on the database's disk", at_least=True),
    HealthLimit(
        "disk_days_left", 14, "days", "until the disk is full, at the growth of the last week",
        at_least=True,
    ),
)  # fmt: skip


def beyond_limits(figures: Iterable[Figure]) -> list[Exceeded]:
    """The figures that are beyond their limits, by kind.

    >>> [each.kind for each in beyond_limits([Figure("oldest_pending", "capture", 1000)])]
    ['oldest_pending capture']
    """
    exceeded = {}
    for figure in figures:
        for limit in LIMITS:
            if limit.is_exceeded_by(figure):
                about = f" ({figure.subject})" if figure.subject and not limit.subject else ""
                what = f"{limit.meaning}{about}, in {limit.unit}"
                exceeded[figure.kind] = Exceeded(figure.kind, what, figure.value, limit.value)
    return [exceeded[kind] for kind in sorted(exceeded)]


def days_left(free: float, size: float, earlier: float | None, days: float) -> float | None:
    """Days until `free` bytes are used up, if the database was `earlier` bytes large `days` ago.

    None if it has not grown, or if not even a day has been measured.

    >>> days_left(free=10e9, size=3e9, earlier=1e9, days=4)
    20.0
    """
    if earlier is None or days < 1 or size <= earlier:
        return None
    return free / ((size - earlier) / days)
