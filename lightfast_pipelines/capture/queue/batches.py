"""Captures one batch after the other, until nothing waits or enough was taken.

A process killed anywhere loses nothing: what is not committed still waits. The caller holds the job lock
`capture`. A batch that fails is narrowed down to the payload at fault; `capture/batch.py` decides what a
batch writes. The payloads of the next batch are read while Postgres works on the present one.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import date, datetime

import psycopg

from lightfast_pipelines.capture.batch import capture_batch
from lightfast_pipelines.capture.batch_result import BatchResult
from lightfast_pipelines.capture.garbage import without_collection
from lightfast_pipelines.capture.kept_readings import KeptReadings
from lightfast_pipelines.capture.queue.attempts import (
    MOST_ATTEMPTS,
    begin,
    others_go_through,
    take_back,
    waits_again,
)
from lightfast_pipelines.capture.queue.claims import hold_queued
from lightfast_pipelines.capture.queue.dead_letters import dead_letters
from lightfast_pipelines.capture.queue.taking import take, take_again
from lightfast_pipelines.capture.raw_payloads import RawPayload
from lightfast_pipelines.capture.reading_ahead import ReadingAhead
from lightfast_pipelines.capture.writers.outcomes import write_outcomes
from lightfast_pipelines.inbox.disk_room import disk_is_full
from lightfast_pipelines.inbox.faults import describe_error, is_fault_of_payload
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.locks import hold_capture, is_awaited
from lightfast_pipelines.store.meanwhile import meanwhile
from lightfast_pipelines.store.plans import by_index
from lightfast_pipelines.store.time_limit import OutOfTime, TimeLimit, within

_log = logging.getLogger(__name__)

_TIME_LIMIT = TimeLimit()
# How many batches may fail in a row before any payload was ever captured. Then either the machine is at
# fault, or the next run finds the payload at fault, because it takes smaller batches.
_MOST_UNPROVEN = 4
# A batch this small is over before reading ahead would pay.
_FEW = 20
_ENDED_THE_PROCESS = (
    "the process that captured it ended each time (killed, out of memory, or a crash), "
    "while other payloads go through"
)


@dataclass(slots=True)
class CaptureReport:
    """What a capture did. `days`: partition day -> table (and `deliveries`) -> rows."""

    deliveries: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    written: dict[str, int] = field(default_factory=dict)
    days: dict[date, dict[str, int]] = field(default_factory=dict)
    raw_ids: list[int] = field(default_factory=list)
    more: bool = False
    seconds: float = 0.0

    def add_batch(self, result: BatchResult) -> None:
        statuses = Counter(outcome.status for outcome in result.outcomes)
        self._add(statuses, result.written, result.days, result.raw_ids)

    def add(self, later: CaptureReport) -> None:
        """Adds what a later capture did; `more` is taken from the later one."""
        self._add(later.outcomes, later.written, later.days, later.raw_ids)
        self.more = later.more
        self.seconds += later.seconds

    def _add(
        self,
        outcomes: Mapping[str, int],
        written: Mapping[str, int],
        days: Mapping[date, Mapping[str, int]],
        raw_ids: Sequence[int],
    ) -> None:
        self.deliveries += len(raw_ids)
        self.raw_ids.extend(raw_ids)
        _add_counts(self.outcomes, outcomes)
        _add_counts(self.written, written)
        for day, counts in days.items():
            _add_counts(self.days.setdefault(day, {}), counts)
        self.days = dict(sorted(self.days.items()))


def _add_counts(total: dict[str, int], counts: Mapping[str, int]) -> None:
    for name, count in counts.items():
        total[name] = total.get(name, 0) + count


@without_collection()
def capture(  # noqa: PLR0913 - limits and collaborators, all passed by name
    conn: Connection,
    *,
    days: Sequence[date] | None,
    max_rows: int,
    batch_rows: int,
    now: datetime,
    progress: Callable[[int], None] | None = None,
    kept: KeptReadings | None = None,
    time_limit: TimeLimit = _TIME_LIMIT,
    max_bytes: int | None = None,
) -> CaptureReport:
    """Captures up to `max_rows` waiting payloads of these partition days (None: of all), and takes no
    further batch after `max_bytes`.

    Calls `progress` with the number of payloads after each batch. `kept` avoids reading earlier occurrences
    again: pass the same object to every call on one database. Returns early, so that a run that waits for
    its turn gets it: after a batch that ran out of time, and while one waits.
    """
    started = time.perf_counter()
    report = CaptureReport()
    batches = _Batches(
        conn, now, KeptReadings() if kept is None else kept, time_limit, max_rows, max_bytes
    )
    with by_index(conn), closing(batches):
        while report.deliveries < max_rows:
            results = batches.next(days, min(batch_rows, max_rows - report.deliveries))
            if results is None:
                break
            for result in results:
                report.add_batch(result)
            if progress is not None:
                progress(sum(len(result.raw_ids) for result in results))
            if batches.ran_out_of_time and report.deliveries:
                break
            if batches.is_slice_full or (report.deliveries and is_awaited(conn, "capture")):
                break
    report.more = _is_waiting(conn, days)
    report.seconds = time.perf_counter() - started
    return report


def _is_waiting(conn: Connection, days: Sequence[date] | None) -> bool:
    row = conn.execute(
        "SELECT EXISTS (SELECT FROM lightfast.raw_queue WHERE %s OR partition_date = ANY(%s))",
        (days is None, list(days or ())),
    ).fetchone()
    conn.rollback()
    return bool(row and row[0])


def _size(raws: Sequence[RawPayload]) -> int:
    return sum(len(raw.body or b"") for raw in raws)


class _Batches:
    """One batch after the other; a batch that fails is narrowed down to the payload at fault."""

    def __init__(
        self,
        conn: Connection,
        now: datetime,
        kept: KeptReadings,
        time_limit: TimeLimit,
        max_rows: int,
        max_bytes: int | None,
    ) -> None:
        self.ran_out_of_time = False
        self._max_rows = max_rows
        self._max_bytes = max_bytes
        self._rows = 0
        self._bytes = 0
        self._following: Sequence[RawPayload] = ()
        self._ahead = ReadingAhead()
        self._conn = conn
        self._now = now
        self._kept = kept
        self._time_limit = time_limit
        self._again = False
        self._unproven = 0

    def next(self, days: Sequence[date] | None, rows: int) -> list[BatchResult] | None:
        """Captures a batch; returns None if nothing waits.

        New payloads and those that were attempted before take turns, so that neither kind delays the other.
        """
        if self._following:
            raws, self._following = self._following, ()
            return self._capture_begun(raws, days, rows)
        for again in (self._again, not self._again):
            raws = (take_again if again else take)(self._conn, days, rows)
            if raws:
                self._again = not again
                return self._attempt(raws, days, rows)
        self._conn.rollback()
        return None

    @property
    def is_slice_full(self) -> bool:
        """Whether no further batch is taken. One that was taken ahead is captured, or it was read in vain."""
        is_full = self._max_bytes is not None and self._bytes >= self._max_bytes
        return is_full and not self._following

    def close(self) -> None:
        """Gives back the batch that was taken ahead, if it was not captured."""
        if self._following and not self._conn.closed:
            with suppress(psycopg.Error):
                self._conn.rollback()
                take_back(self._conn, self._following)
        self._following = ()

    def _take_following(
        self, raws: Sequence[RawPayload], days: Sequence[date] | None, rows: int
    ) -> None:
        """Takes the batch that follows this one, so that it can be read meanwhile.

        Only new payloads follow new ones, and only while none is waiting that was attempted before: whatever
        ends the process is then narrowed down as if there were no batch ahead, and an innocent payload has
        one attempt more at most.
        """
        rows = min(rows, self._max_rows - self._rows)
        if len(raws) < _FEW or raws[0].attempts or rows <= 0 or self.is_slice_full:
            return
        if waits_again(self._conn, raws):
            return
        following = take(self._conn, days, rows)
        if following:
            self._begin(following)
            # Not before its attempt is counted, as `close` takes that back.
            self._following = following

    def _attempt(
        self, raws: Sequence[RawPayload], days: Sequence[date] | None, rows: int
    ) -> list[BatchResult]:
        if raws[0].attempts >= MOST_ATTEMPTS and self._others_go_through(raws):
            # No attempt ended with an error, or the payload would be a dead letter by now.
            _log.error(
                "payload %d was attempted %d times and never finished", raws[0].id, raws[0].attempts
            )
            reason = f"{_ENDED_THE_PROCESS} ({raws[0].attempts} attempts)"
            return [self._make_dead_letters(raws[0], reason, is_safe=False)]
        self._begin(raws)
        return self._capture_begun(raws, days, rows)

    def _begin(self, raws: Sequence[RawPayload]) -> None:
        self._rows += len(raws)
        self._bytes += _size(raws)
        begin(self._conn, raws)

    def _capture_begun(
        self, raws: Sequence[RawPayload], days: Sequence[date] | None, rows: int
    ) -> list[BatchResult]:
        read_before, self._ahead = self._ahead, ReadingAhead()
        try:
            self._take_following(raws, days, rows)
            self._ahead = ReadingAhead(self._following)
            return self._capture(raws, read_before)
        except Exception:
            raise
        except BaseException:
            # The process was asked to end: by Ctrl-C, or by Dagster, which ends its run.
            with suppress(psycopg.Error):
                self._conn.rollback()
                take_back(self._conn, raws)
            raise

    def _capture(self, raws: Sequence[RawPayload], readings: ReadingAhead) -> list[BatchResult]:
        """Captures the batch in one transaction; if that fails, in halves, or later in smaller batches."""
        try:
            with (
                within(self._conn, self._seconds([*raws, *self._following])),
                meanwhile(self._conn, self._ahead.step),
            ):
                result = capture_batch(
                    self._conn, raws, self._now, self._kept, readings, from_queue=True
                )
            # Nothing is read ahead meanwhile: no time limit would end a payload that takes for ever.
            self._conn.commit()
        except Exception as error:
            if self._conn.closed:
                raise
            self._conn.rollback()
            if not is_fault_of_payload(error):
                return self._handle_unclear_error(raws, error)
            if len(raws) == 1:
                return [self._make_dead_letters(raws[0], describe_error(error))]
            _log.warning(
                "a batch of %d payloads failed, taking it in halves: %s",
                len(raws),
                describe_error(error),
            )
            middle = len(raws) // 2
            return self._capture(raws[:middle], readings) + self._capture(raws[middle:], readings)
        self._unproven = 0
        return [result]

    def _handle_unclear_error(
        self, raws: Sequence[RawPayload], error: Exception
    ) -> list[BatchResult]:
        """Handles an error that may be the machine's: the payloads wait for a smaller batch, and a payload
        on its own becomes a dead letter after its last attempt. Raises the error if no other payload
        succeeds.
        """
        self.ran_out_of_time |= isinstance(error, OutOfTime | psycopg.errors.QueryCanceled)
        others_work = not disk_is_full(self._conn, error) and self._others_go_through(raws)
        if others_work is False:
            take_back(self._conn, raws)
            raise error
        self._unproven = 0 if others_work else self._unproven + 1
        if self._unproven >= _MOST_UNPROVEN:
            raise error
        _log.warning("a batch of %d payloads failed: %s", len(raws), describe_error(error))
        if others_work and len(raws) == 1 and raws[0].attempts + 1 >= MOST_ATTEMPTS:
            return [self._make_dead_letters(raws[0], describe_error(error))]
        return []

    def _others_go_through(self, raws: Sequence[RawPayload]) -> bool | None:
        def try_out(probe: RawPayload) -> None:
            # A probe gets more time than usual: a slow, busy machine is not the payload's fault either.
            with within(self._conn, self._time_limit.leisure * self._seconds([probe])):
                capture_batch(self._conn, [probe], self._now, KeptReadings())

        return others_go_through(self._conn, raws, try_out)

    def _seconds(self, raws: Sequence[RawPayload]) -> float:
        return self._time_limit.of(len(raws), _size(raws))

    def _make_dead_letters(
        self, raw: RawPayload, reason: str, *, is_safe: bool = True
    ) -> BatchResult:
        """Makes dead letters of the payload, which `waiting` lists and `replay` tries again."""
        try:
            with within(self._conn, self._seconds([raw])):
                outcomes = dead_letters(self._conn, raw, reason, is_safe=is_safe)
        except (OutOfTime, psycopg.errors.QueryCanceled):
            self._conn.rollback()
            outcomes = dead_letters(self._conn, raw, reason, is_safe=False)
        hold_capture(self._conn)
        if not hold_queued(self._conn, [raw.id]):
            # Another session has captured it meanwhile.
            self._conn.rollback()
            return BatchResult((), Counter(), {}, [])
        write_outcomes(self._conn, [raw.id], outcomes, self._now)
        self._conn.commit()
        return BatchResult(
            outcomes, Counter(), {raw.partition_date: Counter({"deliveries": 1})}, [raw.id]
        )
