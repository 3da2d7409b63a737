"""The sensor on a real memory and a real Dagster instance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Self

import dagster as dg
import pytest

from lightfast_pipelines.assets._turn import present_at_first
from lightfast_pipelines.capture.queue.batches import capture
from lightfast_pipelines.cli.stack.lost_runs import end_lost_runs
from lightfast_pipelines.clustering.provisional import assign_provisional
from lightfast_pipelines.embedding.pgvector import PgVectorIndex
from lightfast_pipelines.embedding.stage import embed_pending
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
from lightfast_pipelines.partitions import days_between
from lightfast_pipelines.resources.database import captures_until
from lightfast_pipelines.sensors.new_payloads import begin_early_enough, new_payloads
from lightfast_pipelines.settings import settings
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.deliveries import Delivery, insert_deliveries
from lightfast_pipelines.store.locks import (
    WORKER_CAPTURES,
    WORKER_SETTLES,
    job_lock,
    presence,
)
from lightfast_pipelines.store.partition_start import read_start
from tests import poison
from tests.arriving import arrive, link

RANGE = "dagster/asset_partition_range_"


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as made:
        yield made


@pytest.fixture
def today() -> date:
    return datetime.now(UTC).date()


def tick(
    instance: dg.DagsterInstance, database: Database, cursor: str | None = None
) -> dg.SensorResult:
    context = dg.build_sensor_context(
        instance=instance,
        cursor=cursor,
        resources={"database": database, "embedder": WordLlamaEmbedder()},
    )
    result = new_payloads(context)
    assert isinstance(result, dg.SensorResult)
    return result


def asked(result: dg.SensorResult) -> list[tuple[str, str, str]]:
    """(kind, first day, last day) of each request."""
    return [
        (r.tags["lightfast/pending"], r.tags[f"{RANGE}start"], r.tags[f"{RANGE}end"])
        for r in result.run_requests or []
    ]


def work_off(conn: Connection, days: list[date]) -> None:
    """What a run over these days does."""
    capture(conn, days=days, max_rows=20_000, batch_rows=500, now=datetime.now(UTC))
    embed_pending(conn, WordLlamaEmbedder(), PgVectorIndex(conn), days=days, max_rows=20_000)
    assign_provisional(conn, days=days, max_rows=20_000)
    conn.commit()


def run_in(instance: dg.DagsterInstance, status: dg.DagsterRunStatus, kind: str) -> None:
    """A run of the job that Dagster believes to be in `status`."""

    @dg.job(name="memory")
    def memory() -> None: ...

    instance.create_run_for_job(memory, status=status, tags={"lightfast/pending": kind})


def test_an_empty_memory_is_skipped_with_a_reason(
    instance: dg.DagsterInstance, database: Database
) -> None:
    result = tick(instance, database)
    assert not result.run_requests
    assert result.skip_reason == dg.SkipReason("nothing waits")


def test_days_with_deliveries_are_requested_with_today_first(
    instance: dg.DagsterInstance, database: Database, conn: Connection, today: date
) -> None:
    older = today - timedelta(days=30)
    arrive(conn, [older, older, today])
    result = tick(instance, database)
    assert asked(result) == [
        ("recent", str(today), str(today)),
        ("backlog", str(older), str(older)),
    ]
    assert [r.run_key for r in result.run_requests or []] == [None, None]
    again = tick(instance, database, result.cursor)
    assert asked(again) == asked(result), "a request that came to nothing is repeated"


def test_a_year_of_waiting_days_is_requested_in_a_handful_of_ranges(
    instance: dg.DagsterInstance, database: Database, conn: Connection, today: date
) -> None:
    link(conn)
    arrive(conn, [today - timedelta(days=n) for n in range(365)])
    runs: list[tuple[str, str, str]] = []
    cursor = None
    while True:
        result = tick(instance, database, cursor)
        cursor, found = result.cursor, asked(result)
        if not found:
            break
        assert len(runs) < 20
        if not runs:
            assert found[0] == ("recent", str(today - timedelta(days=1)), str(today))
        for _, first, last in found:
            work_off(conn, days_between(date.fromisoformat(first), date.fromisoformat(last)))
        runs += found
    assert len(runs) <= 6


def test_another_tenants_older_day_does_not_wait_for_a_year_of_backfill(
    instance: dg.DagsterInstance, database: Database, conn: Connection, today: date
) -> None:
    def told(repository: int, number: int, ago: int) -> Delivery:
        day = today - timedelta(days=ago)
        at = datetime.combine(day, time(10), UTC)
        issue = poison.opened(repository, number, "An honest issue")
        return replace(issue, received_at=at, partition_date=day)

    poison.tenants(conn)
    insert_deliveries(conn, [told(1, ago, ago) for ago in range(2, 367)])
    conn.commit()
    cursor = None

    def next_run() -> list[date]:
        nonlocal cursor
        result = tick(instance, database, cursor)
        cursor = result.cursor
        [(_, first, last)] = asked(result)
        return days_between(date.fromisoformat(first), date.fromisoformat(last))

    work_off(conn, next_run())
    # Later than all that is left of the other's year, and of both providers' webhooks.
    insert_deliveries(conn, [told(2, 1_000, 3), told(3, 1_001, 5)])
    conn.commit()
    work_off(conn, next_run())
    work_off(conn, next_run())
    waiting = conn.execute(
        "SELECT lane, count(*) FROM lightfast.raw_queue GROUP BY lane"
    ).fetchall()
    assert len(waiting) == 1, "both others were captured within a run each"
    assert waiting[0][1] > 180


def test_a_run_that_a_killed_daemon_left_as_started_blocks_nothing(
    instance: dg.DagsterInstance, database: Database, conn: Connection, today: date
) -> None:
    arrive(conn, [today])
    run_in(instance, dg.DagsterRunStatus.STARTED, "recent")
    assert asked(tick(instance, database)) == [("recent", str(today), str(today))]


def test_a_run_that_has_just_been_queued_is_not_requested_twice(
    instance: dg.DagsterInstance, database: Database, conn: Connection, today: date
) -> None:
    arrive(conn, [today])
    run_in(instance, dg.DagsterRunStatus.NOT_STARTED, "recent")
    result = tick(instance, database)
    assert not result.run_requests
    assert result.skip_reason


def test_a_run_queued_long_ago_no_longer_counts(
    instance: dg.DagsterInstance,
    database: Database,
    conn: Connection,
    today: date,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arrive(conn, [today])
    run_in(instance, dg.DagsterRunStatus.NOT_STARTED, "recent")
    monkeypatch.setattr("lightfast_pipelines.sensors.new_payloads.QUEUED_SECONDS", 0)
    assert asked(tick(instance, database)) == [("recent", str(today), str(today))]


class A400DaysAgo(datetime):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return super().now(tz) - timedelta(days=400)


@pytest.mark.parametrize("begun", [False, True])
def test_runs_created_under_a_clock_that_was_ahead_hold_nothing_up(
    instance: dg.DagsterInstance,
    database: Database,
    conn: Connection,
    today: date,
    monkeypatch: pytest.MonkeyPatch,
    begun: bool,
) -> None:
    arrive(conn, [today])
    status = dg.DagsterRunStatus.STARTED if begun else dg.DagsterRunStatus.NOT_STARTED
    for _ in range(3):
        run_in(instance, status, "recent")
    for run in instance.get_runs() if begun else ():
        instance.report_run_failed(run)
    assert not asked(tick(instance, database))
    monkeypatch.setattr("lightfast_pipelines.sensors.new_payloads.datetime", A400DaysAgo)
    assert [kind for kind, *_ in asked(tick(instance, database))] == ["recent"]


def test_the_lock_decides_whether_a_range_is_at_work(
    instance: dg.DagsterInstance, database: Database, conn: Connection, today: date
) -> None:
    arrive(conn, [today - timedelta(days=30), today])
    with database.connect() as other, job_lock(other, "capture", wait=False):
        assert asked(tick(instance, database)) == [("recent", str(today), str(today))]


def test_a_run_counts_as_alive_as_long_as_its_process(
    instance: dg.DagsterInstance, database: Database, conn: Connection, today: date
) -> None:
    older = today - timedelta(days=30)
    link(conn)
    arrive(conn, [older])
    capture(conn, days=None, max_rows=10, batch_rows=10, now=datetime.now(UTC))
    with database.connect() as alive, presence(alive, "backlog"):
        # What it captured it is on its way to embed.
        assert not asked(tick(instance, database))
    assert asked(tick(instance, database)) == [("backlog", str(older), str(older))]


def test_failed_runs_slow_the_next_ones_down(
    instance: dg.DagsterInstance, database: Database, conn: Connection, today: date
) -> None:
    arrive(conn, [today])
    for _ in range(3):
        run_in(instance, dg.DagsterRunStatus.STARTED, "recent")
    for run in instance.get_runs():
        instance.report_run_failed(run)
    result = tick(instance, database)
    assert not result.run_requests
    assert "3 runs failed" in str(result.skip_reason)


def test_runs_whose_processes_were_killed_do_not_delay_deliveries(
    instance: dg.DagsterInstance, database: Database, conn: Connection, today: date
) -> None:
    arrive(conn, [today])
    for _ in range(5):
        run_in(instance, dg.DagsterRunStatus.STARTING, "recent")
        assert len(end_lost_runs(instance, database, "code.sock", alone=True)) == 1
    assert asked(tick(instance, database)) == [("recent", str(today), str(today))]


def test_failed_runs_before_a_lost_one_still_slow_the_next_ones_down(
    instance: dg.DagsterInstance, database: Database, conn: Connection, today: date
) -> None:
    arrive(conn, [today])
    for _ in range(2):
        run_in(instance, dg.DagsterRunStatus.STARTED, "recent")
    for run in instance.get_runs():
        instance.report_run_failed(run)
    run_in(instance, dg.DagsterRunStatus.STARTING, "recent")
    end_lost_runs(instance, database, "code.sock", alone=True)
    result = tick(instance, database)
    assert not result.run_requests
    assert "2 runs failed" in str(result.skip_reason)


def test_deliveries_that_older_rules_read_are_requeued_once(
    instance: dg.DagsterInstance, database: Database, conn: Connection, today: date
) -> None:
    link(conn)
    arrive(conn, [today])
    capture(conn, days=None, max_rows=10, batch_rows=10, now=datetime.now(UTC))
    conn.execute("UPDATE lightfast.outcomes SET rule_version = 0")
    conn.commit()
    assert asked(tick(instance, database)) == [("recent", str(today), str(today))]
    rows = conn.execute("SELECT count(*) FROM lightfast.raw_queue").fetchone()
    assert rows == (1,)


def test_days_before_a_first_start_with_a_clock_ahead_become_partitions(
    conn: Connection,
) -> None:
    ahead = date(2039, 1, 1)
    conn.execute("UPDATE lightfast.partition_start SET first_day = %s", (ahead,))
    begin_early_enough(conn, [date(2040, 1, 1)], ahead)
    assert read_start(conn) == ahead
    begin_early_enough(conn, [date(2026, 3, 1), date(2040, 1, 1)], ahead)
    assert read_start(conn) == date(2026, 1, 1)
    # A clock that says 1970 is wrong as well: partitions begin no earlier than providers do.
    begin_early_enough(conn, [date(1970, 1, 1)], ahead)
    assert read_start(conn) == settings().earliest_day


def test_deliveries_on_a_future_day_are_requested_with_today(
    instance: dg.DagsterInstance, database: Database, conn: Connection, today: date
) -> None:
    link(conn)
    arrive(conn, [today])
    conn.execute("UPDATE lightfast.raw_queue SET partition_date = partition_date + 400")
    conn.commit()
    assert asked(tick(instance, database)) == [("recent", today.isoformat(), today.isoformat())]


def test_no_run_is_requested_for_what_a_worker_is_about_to_do(
    instance: dg.DagsterInstance, database: Database, conn: Connection, today: date
) -> None:
    link(conn)
    arrive(conn, [today - timedelta(days=40), today])
    with database.connect() as worker, presence(worker, WORKER_CAPTURES):
        result = tick(instance, database)
        assert not result.run_requests
        assert result.skip_reason == dg.SkipReason("a worker is at work on what waits")
        # Something is wrong with it, or older days are many: runs help.
        conn.execute(
            "UPDATE lightfast.raw_queue SET enqueued_at = now() - interval '31 seconds'"
            " WHERE partition_date = %s",
            (today,),
        )
        conn.commit()
        assert asked(tick(instance, database)) == [("recent", str(today), str(today))]


def test_runs_embed_and_cluster_what_a_worker_cannot(
    instance: dg.DagsterInstance, database: Database, conn: Connection, today: date
) -> None:
    link(conn)
    arrive(conn, [today])
    capture(conn, days=None, max_rows=10, batch_rows=10, now=datetime.now(UTC))
    with database.connect() as worker, presence(worker, WORKER_CAPTURES):
        with presence(worker, WORKER_SETTLES):
            assert not asked(tick(instance, database))
        assert asked(tick(instance, database)) == [("recent", str(today), str(today))]


def test_a_stream_that_never_pauses_has_a_second_run_only_when_the_first_is_about_to_end(
    instance: dg.DagsterInstance, database: Database, conn: Connection, today: date
) -> None:
    arrive(conn, [today])
    seconds = 0.0
    with (
        database.connect() as run,
        job_lock(run, "capture", wait=False),
        present_at_first(run, captures_until("recent", today), 30, lambda: seconds) as end_in_time,
    ):
        end_in_time()
        result = tick(instance, database)
        assert not result.run_requests
        assert result.skip_reason == dg.SkipReason("a run for recent days captures what arrives")
        seconds = 30
        end_in_time()
        assert asked(tick(instance, database)) == [("recent", str(today), str(today))]


def test_deliveries_of_a_day_that_has_just_begun_do_not_wait_for_a_run_over_the_day_before(
    instance: dg.DagsterInstance, database: Database, conn: Connection, today: date
) -> None:
    arrive(conn, [today])
    yesterdays = captures_until("recent", today - timedelta(days=1))
    with database.connect() as run, presence(run, yesterdays):
        assert asked(tick(instance, database)) == [("recent", str(today), str(today))]
