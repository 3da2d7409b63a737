"""How much one run takes, and that a long one lets others in."""

from __future__ import annotations

import threading
from datetime import date, timedelta

import pytest

from lightfast_pipelines.capture.queue import session
from lightfast_pipelines.capture.queue.session import Bounds, reprocess, take_arriving, take_waiting
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.locks import job_lock, job_locks
from tests.arriving import arrive, count, link

FIRST = date(2024, 5, 1)
DAYS = [FIRST + timedelta(days=n) for n in range(6)]


@pytest.fixture(autouse=True)
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "SLICE_ROWS", 2)


def test_a_run_stops_at_its_rows_and_the_next_one_goes_on(conn: Connection) -> None:
    link(conn)
    arrive(conn, DAYS)
    first = take_waiting(conn, DAYS, Bounds(5, 60, 500))
    assert (first.deliveries, first.more) == (5, True)
    assert sum(counts["deliveries"] for counts in first.days.values()) == 5
    second = take_waiting(conn, DAYS, Bounds(5, 60, 500))
    assert (second.deliveries, second.more) == (1, False)


def test_a_run_stops_when_its_time_is_up(conn: Connection) -> None:
    link(conn)
    arrive(conn, DAYS)
    assert take_waiting(conn, DAYS, Bounds(100, 0, 500)).deliveries == 2


def test_deliveries_that_arrive_within_seconds_share_the_run(
    database: Database, conn: Connection
) -> None:
    link(conn)
    arrive(conn, [FIRST])
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        # During the third and the fifth second another one arrives.
        if len(pauses) in (3, 5):
            with database.connect() as receiver:
                arrive(receiver, [FIRST], first=100 + len(pauses))

    report = take_arriving(conn, [FIRST], Bounds(100, 60, 500), quiet_seconds=5, pause=pause)
    assert report.deliveries == 3
    assert len(pauses) == 10, "five quiet seconds after the last arrival"
    assert count(conn, "raw_queue") == 0


class Stream:
    """Receives one more delivery whenever it is called."""

    def __init__(self, database: Database) -> None:
        self.arrived = 0
        self._database = database

    def __call__(self, _seconds: float = 0) -> None:
        self.arrived += 1
        with self._database.connect() as receiver:
            arrive(receiver, [FIRST], first=self.arrived)


def test_a_stream_that_never_pauses_ends_with_the_runs_bounds(
    database: Database, conn: Connection
) -> None:
    link(conn)
    stream = Stream(database)
    stream()
    report = take_arriving(conn, [FIRST], Bounds(4, 600, 500), quiet_seconds=2, pause=stream)
    assert report.deliveries == 4


def test_a_stream_that_never_pauses_is_left_to_the_next_run_once_that_is_there(
    database: Database, conn: Connection
) -> None:
    link(conn)
    stream = Stream(database)
    stream()
    report = take_arriving(
        conn,
        [FIRST],
        Bounds(100, 600, 500),
        quiet_seconds=2,
        is_relieved=lambda: stream.arrived > 3,
        pause=stream,
    )
    assert report.deliveries == 4
    assert count(conn, "raw_queue") == 0


def test_reprocessing_takes_every_delivery_of_its_days_and_no_other(conn: Connection) -> None:
    link(conn)
    arrive(conn, DAYS)
    take_waiting(conn, DAYS, Bounds(100, 60, 500))
    report = reprocess(conn, DAYS[:4], batch_rows=500)
    assert report.deliveries == 4
    assert sorted(report.days) == DAYS[:4]
    assert count(conn, "observations") == 6


@pytest.mark.parametrize(("slice_rows", "batch_rows"), [(2, 500), (2_000, 2)])
def test_reprocessing_lets_a_run_in_that_waits_for_its_turn(
    database: Database,
    conn: Connection,
    monkeypatch: pytest.MonkeyPatch,
    slice_rows: int,
    batch_rows: int,
) -> None:
    monkeypatch.setattr(session, "SLICE_ROWS", slice_rows)
    link(conn)
    arrive(conn, DAYS)
    seen: list[int] = []

    def wait_for_its_turn() -> None:
        with database.connect() as other, job_lock(other, "capture", wait=True):
            seen.append(count(other, "raw_queue"))

    waiter = threading.Thread(target=wait_for_its_turn)
    with database.connect() as watcher, job_lock(conn, "capture", wait=False):
        waiter.start()
        while not job_locks(watcher, ["capture"])[1]:
            watcher.rollback()
        reprocess(conn, DAYS, batch_rows=batch_rows)
    waiter.join(timeout=30)
    assert seen == [4], "after the first two, not after the last"
