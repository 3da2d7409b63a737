"""What a worker does on one connection: looks for deliveries, captures them, then embeds and clusters.

It holds the lock of a stage only during a batch, so runs that wait for their turn get it after each batch.
It never waits for the locks of embeddings and clusters: whoever holds them does that work, and new
deliveries must not wait meanwhile. `loop.py` opens the connection and decides what follows an error.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Protocol

from lightfast_pipelines.capture.kept_readings import KeptReadings
from lightfast_pipelines.capture.queue.batches import capture
from lightfast_pipelines.clustering.provisional import assign_provisional
from lightfast_pipelines.embedding.embedder import Embedder
from lightfast_pipelines.embedding.index import VectorIndex
from lightfast_pipelines.embedding.stage import embed_pending
from lightfast_pipelines.inbox.faults import describe_error
from lightfast_pipelines.inbox.pending import recent_days_waiting
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.locks import WORKER_CAPTURES, WORKER_SETTLES, job_lock, presence
from lightfast_pipelines.store.time_limit import TimeLimit
from lightfast_pipelines.store.unreported import record_days

# How long a worker waits before it looks again, and so how many deliveries share a batch: at 50 a second,
# twelve. A look costs 0.05 ms of CPU time. NOTIFY would wake it at once, but takes a lock on the whole
# database until the commit is on disk: four sessions that stored deliveries lost a third of their speed
# to it, eight more than half.
PAUSE_SECONDS = 0.25
# What was captured is embedded when nothing more waits, or after this time if deliveries keep arriving.
SETTLE_SECONDS = 2.0
# A run may end before it has embedded what it captured, and the sensor leaves that to the worker.
LOOK_AGAIN_SECONDS = 60.0
# A delivery that arrives during a batch waits for its end: about half a second.
CAPTURE_ROWS = 200
SETTLE_ROWS = 500
# After an error of a later stage, the pause before it is tried again doubles between these.
_SHORTEST_REST, _LONGEST_REST = 5.0, 300.0
# Readings kept between batches: at most 30 MiB.
_KEPT_READINGS = 2_000


class Stop(Protocol):
    """Whether the worker was asked to end; `wait` sleeps, but not longer than until it is."""

    def is_asked(self) -> bool: ...

    def wait(self, seconds: float) -> bool: ...


@dataclass(slots=True)
class Totals:
    """What a worker has done since it last said so."""

    deliveries: int = 0
    observations: int = 0
    embedded: int = 0
    clustered: int = 0

    def clear(self) -> None:
        self.deliveries = self.observations = self.embedded = self.clustered = 0

    def __str__(self) -> str:
        return (
            f"{self.deliveries:,} deliveries captured, {self.observations:,} observations written, "
            f"{self.embedded:,} embedded, {self.clustered:,} clustered"
        )


@dataclass(frozen=True, slots=True)
class Work:
    """What a worker works with; each batch has at most `batch_rows` deliveries."""

    embedder: Embedder
    index_on: Callable[[Connection], VectorIndex]
    batch_rows: int
    time_limit: TimeLimit
    say: Callable[[str], object]
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    monotonic: Callable[[], float] = time.monotonic


@dataclass(slots=True)
class Shift:
    """A worker's time on one connection. An error of capture ends it; one of a later stage does not."""

    conn: Connection
    work: Work
    totals: Totals
    _kept: KeptReadings = field(default_factory=lambda: KeptReadings(_KEPT_READINGS))
    # At first it takes up what others left.
    _is_unsettled: bool = True
    _is_model_loaded: bool = False
    _settled_at: float = float("-inf")
    _rest: float = 0.0

    def run(self, stop: Stop, after: Callable[[], None] = lambda: None) -> None:
        """Works until it is asked to stop; then it ends after the batch under way.

        Calls `after` each time it has looked for deliveries without an error.
        """
        with presence(self.conn, WORKER_CAPTURES), ExitStack() as settling:
            is_shown = False
            while not stop.is_asked():
                taken = self.capture_waiting()
                goes_on = self._is_time_to_settle(taken) and self._settle_or_rest()
                # While it rests, the sensor asks for runs, which show in Dagster what is wrong.
                if is_shown and self._rest:
                    settling.close()
                elif not is_shown and not self._rest:
                    settling.enter_context(presence(self.conn, WORKER_SETTLES))
                is_shown = not self._rest
                after()
                if not goes_on and taken < self._rows // 2:
                    stop.wait(PAUSE_SECONDS)

    @property
    def _rows(self) -> int:
        return min(CAPTURE_ROWS, self.work.batch_rows)

    def capture_waiting(self) -> int:
        """Captures a batch, of today and yesterday first; returns the number of deliveries."""
        days = days_to_capture(self.conn, self.work.clock().date())
        if days is not None and not days:
            self._kept = KeptReadings(_KEPT_READINGS)
            return 0
        with job_lock(self.conn, "capture", wait=True):
            report = capture(
                self.conn,
                days=days,
                max_rows=self._rows,
                batch_rows=self._rows,
                now=self.work.clock(),
                kept=self._kept,
                time_limit=self.work.time_limit,
            )
            record_days(self.conn, "capture", report.days)
            self.conn.commit()
        self.totals.deliveries += report.deliveries
        self.totals.observations += report.written.get("observations", 0)
        if report.deliveries:
            self._is_unsettled = True
        return report.deliveries

    def _is_time_to_settle(self, taken: int) -> bool:
        since = self.work.monotonic() - self._settled_at
        pause = SETTLE_SECONDS if taken else 0.0
        return since >= max(self._rest, pause if self._is_unsettled else LOOK_AGAIN_SECONDS)

    def _settle_or_rest(self) -> bool:
        """Settles a page; returns whether there is more. After an error, the next try is put off."""
        try:
            if not self._is_model_loaded:
                # Takes a second, in which no delivery should wait: so before the first one.
                self.work.embedder.embed(["model"])
                self._is_model_loaded = True
            more = self.settle()
        except Exception as error:
            if self.conn.closed or self.conn.broken:
                raise
            self.conn.rollback()
            self._rest = min(max(2 * self._rest, _SHORTEST_REST), _LONGEST_REST)
            self.work.say(f"{describe_error(error)}; tried again in {self._rest:.0f} s")
            more = False
        else:
            self._rest = 0.0
        self._settled_at = self.work.monotonic()
        return more

    def settle(self) -> bool:
        """Embeds and clusters a page of what waits for that; returns whether there is more."""
        embedded, has_embedded = self._embed()
        clustered, has_clustered = self._cluster()
        self.totals.embedded += embedded
        self.totals.clustered += clustered
        done = max(embedded, clustered)
        self._is_unsettled = done > 0 or not (has_embedded and has_clustered)
        return done >= SETTLE_ROWS

    def _embed(self) -> tuple[int, bool]:
        """The number of observations, and whether nobody else is at work on some."""
        with job_lock(self.conn, "embeddings", wait=False) as acquired:
            if not acquired:
                return 0, False
            report = embed_pending(
                self.conn,
                self.work.embedder,
                self.work.index_on(self.conn),
                max_rows=SETTLE_ROWS,
                time_limit=self.work.time_limit,
            )
            record_days(self.conn, "embeddings", report.days)
            self.conn.commit()
        return report.observations, True

    def _cluster(self) -> tuple[int, bool]:
        """As `_embed`."""
        with job_lock(self.conn, "clusters", wait=False) as acquired:
            if not acquired:
                return 0, False
            report = assign_provisional(
                self.conn, max_rows=SETTLE_ROWS, time_limit=self.work.time_limit, waits=False
            )
            record_days(self.conn, "clusters", report.days)
            self.conn.commit()
        return report.observations, not report.left_out


def days_to_capture(conn: Connection, today: date) -> Sequence[date] | None:
    """The days from yesterday on that have waiting deliveries; None, for all days, if only older ones have;
    empty if nothing waits."""
    days, older = recent_days_waiting(conn, today - timedelta(days=1))
    conn.rollback()
    return None if older and not days else days
