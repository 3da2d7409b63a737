"""Decides which runs to ask for: a pure function of pending work and current runs.

`new_payloads.py` reads the facts it needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Literal

from lightfast_pipelines.inbox.pending import DayWork

RunKind = Literal["recent", "backlog"]

# Dagster writes two events per asset and day, the first before the next tick can begin: for a range of
# 92 days that takes some seconds.
MAX_RANGE_DAYS = 92

OLDEST_DAY = -3
"""Takes turns like a lane of the queue: the oldest day, if no delivery waits on it."""


@dataclass(frozen=True, slots=True)
class WorkerAtWork:
    """What a worker (`lightfast worker`) does without a run.

    It `captures` deliveries, and `settles` observations: it embeds and clusters them. `late` are the days
    with deliveries that it has let wait for too long.
    """

    captures: bool = False
    settles: bool = False
    late: frozenset[date] = frozenset()

    def leaves(self, day: DayWork) -> DayWork:
        """The work of the day that is left to a run."""
        if not self.captures or day.day in self.late:
            return day
        if self.settles:
            return DayWork(day.day)
        return DayWork(day.day, 0, day.unembedded, day.unclustered)


_NO_WORKER = WorkerAtWork()


@dataclass(frozen=True, slots=True)
class AtWork:
    """What is under way.

    `held` are stage locks, `alive` the kinds of runs whose process lives, `waiting_to_capture` the
    kinds of the sensor's runs that wait for capture's lock, `capturing` the kinds of those that capture
    what arrives, `queued` the kinds of recent runs that have not begun. `failures` counts the latest
    consecutive runs that failed through their own fault, `quiet_seconds` is the time since the last of
    these. `worker` says what a worker keeps up with.
    """

    held: frozenset[str] = frozenset()
    alive: frozenset[str] = frozenset()
    waiting_to_capture: frozenset[str] = frozenset()
    capturing: frozenset[str] = frozenset()
    queued: frozenset[str] = frozenset()
    failures: int = 0
    quiet_seconds: float = float("inf")
    worker: WorkerAtWork = _NO_WORKER


@dataclass(frozen=True, slots=True)
class Turns:
    """Whose older days are next.

    `oldest` is lane of the queue -> its oldest waiting day, `served` lane -> number of the latest request
    that began with it (none yet: 0).
    """

    oldest: Mapping[int, date] = field(default_factory=dict)
    served: Mapping[int, int] = field(default_factory=dict)

    def after(self, lane: int) -> dict[int, int]:
        """The numbers after a request for this lane.

        Lanes without waiting work are dropped, or every former tenant would keep a number.
        """
        latest = max(self.served.values(), default=0)
        waiting = {*self.oldest, OLDEST_DAY}
        kept = {served: turn for served, turn in self.served.items() if served in waiting}
        return {**kept, lane: latest + 1}

    def next_lane(self, days: Sequence[DayWork]) -> int | None:
        """The lane with a delivery on these days whose latest turn is longest ago; None without days.

        The oldest of the days has a turn of its own if no lane has a delivery on it.
        """
        waiting = {day.day for day in days}
        lanes = {lane for lane, day in self.oldest.items() if day in waiting}
        if days and days[0].day not in {self.oldest[lane] for lane in lanes}:
            lanes.add(OLDEST_DAY)
        return min(
            lanes,
            key=lambda lane: (self.served.get(lane, 0), lane == OLDEST_DAY, lane),
            default=None,
        )


@dataclass(frozen=True, slots=True)
class RangeRequest:
    """A run over the days from `first` to `last`, both included."""

    kind: RunKind
    first: date
    last: date


_NO_TURNS = Turns()


@dataclass(frozen=True, slots=True)
class Choice:
    """Runs to ask for, today's first, and the reason if there are none."""

    requests: tuple[RangeRequest, ...] = ()
    reason: str = ""
    unreachable: tuple[date, ...] = field(default=())
    """Days that have work and are not a partition."""
    served: int | None = None
    """The lane whose oldest day is the first of the requested older days."""


def choose_ranges(
    work: Sequence[DayWork],
    *,
    first_day: date,
    today: date,
    run_rows: int,
    at_work: AtWork,
    turns: Turns = _NO_TURNS,
) -> Choice:
    """Asks for one run over today and yesterday, and one over a range of older days with work.

    The range begins at the oldest day of the tenant whose turn it is, or a tenant with a year to
    capture would delay all later days. It ends at `run_rows` rows or 92 days, so that a run can finish
    its days; days without work may lie between them. Future days, which exist if a clock was ahead, are
    taken with today. While a run is at work only deliveries count, as it may still do the rest. A run
    that waits for embeddings or clusters delays no delivery: only a run that will capture the same days
    makes another one needless.
    """
    unreachable = tuple(day.day for day in work if day.day < first_day)
    possible = [day for day in work if day.day >= first_day]
    if not possible:
        return Choice((), "nothing waits", unreachable)
    days = _as_of(today, [left for day in possible if (left := at_work.worker.leaves(day)).rows])
    if not days:
        return Choice((), "a worker is at work on what waits", unreachable)
    if at_work.held or at_work.alive:
        days = [day for day in days if day.deliveries]
        if not days:
            return Choice((), "a run is at work on what waits", unreachable)
    pause = _pause(at_work.failures, deliveries=any(day.deliveries for day in days))
    if at_work.quiet_seconds < pause:
        return Choice(
            (),
            f"the last {at_work.failures} runs failed: the next try {pause:.0f} s after the last",
            unreachable,
        )
    recent = [day for day in days if day.day >= today - timedelta(days=1)]
    # Each stage has its own lock, so the next run captures while one embeds and clusters.
    busy = "capture" in at_work.held
    older = [] if busy else days[: len(days) - len(recent)]
    lane = turns.next_lane(older)
    begins = turns.oldest.get(lane) if lane is not None else None
    backlog = [day for day in older if begins is None or day.day >= begins]
    candidates: list[tuple[RunKind, Sequence[DayWork]]] = [
        ("recent", recent),
        ("backlog", _oldest(backlog, run_rows)),
    ]
    requests = [
        RangeRequest(kind, chosen[0].day, chosen[-1].day)
        for kind, chosen in candidates
        if chosen and kind not in at_work.queued | at_work.waiting_to_capture | at_work.capturing
    ]
    served = lane if any(request.kind == "backlog" for request in requests) else None
    return Choice(tuple(requests), "" if requests else _left_out(at_work), unreachable, served)


def _as_of(today: date, work: Sequence[DayWork]) -> list[DayWork]:
    """In order of days; the work of future days counts as today's, as a run takes both together."""
    days = sorted((day for day in work if day.day < today), key=lambda day: day.day)
    future_work = [day for day in work if day.day >= today]
    if future_work:
        days.append(
            DayWork(
                today,
                sum(day.deliveries for day in future_work),
                sum(day.unembedded for day in future_work),
                sum(day.unclustered for day in future_work),
            )
        )
    return days


def _oldest(days: Sequence[DayWork], run_rows: int) -> list[DayWork]:
    """The oldest of these days that one run can finish; at least one."""
    chosen: list[DayWork] = []
    rows = 0
    for day in days:
        rows += day.rows
        too_long = chosen and (day.day - chosen[0].day).days >= MAX_RANGE_DAYS
        if chosen and (rows > run_rows or too_long):
            break
        chosen.append(day)
    return chosen


def _pause(failures: int, *, deliveries: bool) -> float:
    """Seconds between failing runs: doubled each time, up to a minute if deliveries wait, else to ten.

    Without a pause a model that is down would cause a failed run at every tick, thousands a day.
    """
    if not failures:
        return 0.0
    return float(min(10 * 2 ** min(failures, 10), 60 if deliveries else 600))


def _left_out(at_work: AtWork) -> str:
    if at_work.queued:
        return f"a run for {_names(at_work.queued)} days is queued"
    if at_work.waiting_to_capture:
        return (
            f"a run for {_names(at_work.waiting_to_capture)} days waits for its turn to take them"
        )
    if at_work.capturing:
        return f"a run for {_names(at_work.capturing)} days captures what arrives"
    return "older days wait for the run at work"


def _names(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))
