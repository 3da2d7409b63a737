"""The next batch is read while Postgres writes the present one; nothing else changes."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import pytest

from lightfast_pipelines.capture.kept_readings import KeptReadings
from lightfast_pipelines.capture.queue import batches
from lightfast_pipelines.capture.queue.attempts import MOST_ATTEMPTS, begin, take_back
from lightfast_pipelines.capture.queue.batches import _Batches, capture
from lightfast_pipelines.capture.queue.taking import take
from lightfast_pipelines.capture.raw_payloads import RawPayload
from lightfast_pipelines.capture.reading_ahead import ReadingAhead
from lightfast_pipelines.providers import discover
from lightfast_pipelines.store import meanwhile
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.digest import digest_lines
from lightfast_pipelines.store.time_limit import TimeLimit
from tests.capture.deliveries import NOW, capture_all, delivery, one, receive, rows, workspace_with
from tests.providers.github import payloads as github

# As many as make it worth while.
BATCH = 20
_ATTEMPTS = "SELECT attempts, count(*)::int FROM lightfast.raw_queue GROUP BY 1 ORDER BY 1"


class Killed(BaseException):
    """Ends the process, as far as the capture can tell."""


def _issues(conn: Connection, number: int, poison: int = 0) -> None:
    workspace_with(conn)
    titles = {n: f"See #{n + 1}" if n != poison else "A poison" for n in range(1, number + 1)}
    receive(
        conn,
        [
            delivery("issues", github.issue("opened", n, title=title), f"{n:03}")
            for n, title in titles.items()
        ],
    )


@pytest.fixture
def read_ahead(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The ids of the payloads that were read ahead of their batch."""
    ids: list[int] = []
    read_one = ReadingAhead._read_one

    def noted(self: ReadingAhead, raw: RawPayload) -> None:
        read_one(self, raw)
        ids.append(raw.id)

    monkeypatch.setattr(ReadingAhead, "_read_one", noted)
    return ids


def test_batches_that_were_read_ahead_state_the_same_as_one_that_was_not(
    new_database: Callable[[], Database], read_ahead: list[int]
) -> None:
    digests = []
    for batch_rows in (BATCH, 500):
        with new_database().connect() as conn:
            _issues(conn, 3 * BATCH)
            assert capture_all(conn, batch_rows=batch_rows).deliveries == 3 * BATCH
            digests.append(list(digest_lines(conn)))
            assert one(conn, "SELECT count(*) FROM lightfast.raw_queue") == 0
    assert digests[0] == digests[1]
    assert read_ahead


def test_a_capture_takes_no_batch_ahead_that_it_will_not_capture(conn: Connection) -> None:
    _issues(conn, 3 * BATCH)
    report = capture(conn, days=None, max_rows=BATCH, batch_rows=BATCH, now=NOW)
    assert report.deliveries == BATCH
    assert rows(conn, _ATTEMPTS) == [(0, 2 * BATCH)]


def test_a_batch_taken_ahead_is_given_back_if_an_error_of_the_machine_ends_the_capture(
    database: Database, conn: Connection
) -> None:
    _issues(conn, 2 * BATCH)
    with database.connect("migrator", autocommit=True) as owner:
        owner.execute("ALTER TABLE lightfast.outcomes RENAME COLUMN reason TO because")
    under_way = _Batches(conn, NOW, KeptReadings(), TimeLimit(), 500, None)
    assert under_way.next(None, BATCH) == []
    assert rows(conn, _ATTEMPTS) == [(1, 2 * BATCH)]
    under_way.close()
    assert rows(conn, _ATTEMPTS) == [(0, BATCH), (1, BATCH)]


def test_the_batch_that_fills_a_slice_is_captured_in_it_and_not_read_in_vain(
    conn: Connection, read_ahead: list[int]
) -> None:
    _issues(conn, 4 * BATCH)
    [size] = rows(conn, "SELECT sum(octet_length(body))::int FROM lightfast.raw_bodies")[0]
    slices = []
    while one(conn, "SELECT count(*) FROM lightfast.raw_queue"):
        report = capture(
            conn, days=None, max_rows=500, batch_rows=BATCH, max_bytes=size * 3 // 8, now=NOW
        )
        slices.append(report.deliveries)
        assert {attempts for attempts, _ in rows(conn, _ATTEMPTS)} <= {0}
    assert slices == [2 * BATCH, 2 * BATCH]
    assert len(read_ahead) == 2 * BATCH


@pytest.mark.parametrize("is_counted", [False, True])
def test_deliveries_have_no_attempt_after_a_stop_while_a_batch_is_taken_ahead(
    conn: Connection, monkeypatch: pytest.MonkeyPatch, is_counted: bool
) -> None:
    _issues(conn, 2 * BATCH)
    counted: list[int] = []

    def stopped(conn: Connection, raws: Sequence[RawPayload]) -> None:
        counted.append(len(raws))
        if len(counted) == 1 or is_counted:
            begin(conn, raws)
        if len(counted) == 2:
            raise Killed

    monkeypatch.setattr(batches, "begin", stopped)
    with pytest.raises(Killed):
        capture_all(conn, batch_rows=BATCH)
    assert counted == [BATCH, BATCH]
    # An attempt too many costs a smaller batch; with one too few, a delivery would never be taken.
    assert rows(conn, _ATTEMPTS) == [(0, BATCH), (1, BATCH)] if is_counted else [(0, 2 * BATCH)]
    monkeypatch.undo()
    assert capture_all(conn, batch_rows=BATCH).deliveries == 2 * BATCH


def test_a_delivery_that_was_put_back_into_the_queue_meanwhile_is_still_taken(
    conn: Connection,
) -> None:
    _issues(conn, 1)
    taken = take(conn, None, 1)
    conn.commit()
    take_back(conn, taken)
    assert rows(conn, _ATTEMPTS) == [(0, 1)]


def test_nothing_is_read_ahead_while_no_time_limit_holds(
    conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    _issues(conn, 3 * BATCH)
    step = ReadingAhead.step
    limited: list[bool] = []

    def noted(self: ReadingAhead) -> bool:
        limited.append(signal.getitimer(signal.ITIMER_REAL)[0] > 0)
        return step(self) or True

    # One step in each wait, however short it is.
    ready = itertools.cycle([False, True])
    monkeypatch.setattr(meanwhile, "_is_ready", lambda _fileno, _wanted: next(ready))
    monkeypatch.setattr(ReadingAhead, "step", noted)
    assert capture_all(conn, batch_rows=BATCH).deliveries == 3 * BATCH
    assert set(limited) == {True}


def test_a_payload_that_kills_the_process_that_reads_it_ahead_ends_alone_in_the_dead_letters(
    database: Database, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    _issues(conn, 3 * BATCH, poison=BATCH + 7)
    provider = type(discover()["github"])
    read = provider.read
    running: list[Connection] = []

    def kill(self: Any, event: str, payload: Any) -> Any:
        if "poison" in payload["issue"]["title"]:
            running[-1].close()
            raise Killed
        return read(self, event, payload)

    monkeypatch.setattr(provider, "read", kill)
    kills: list[list[tuple[Any, ...]]] = []
    while one(conn, "SELECT count(*) FROM lightfast.raw_queue"):
        with database.connect() as started, suppress(Killed):
            running.append(started)
            capture_all(started, batch_rows=BATCH)
        kills.append(rows(conn, _ATTEMPTS))
    # The first process was still writing the first batch.
    assert kills[0] == [(0, BATCH), (1, 2 * BATCH)]
    assert len(kills) == MOST_ATTEMPTS + 1
    assert rows(conn, "SELECT status, count(*)::int FROM lightfast.outcomes GROUP BY 1") == [
        ("delivered", 3 * BATCH - 1),
        ("dlq", 1),
    ]
