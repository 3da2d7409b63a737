"""Processes share an installation's budget, leave a reserve, and no clock holds a walk up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from lightfast_pipelines.backfill.request import BackfillResult
from lightfast_pipelines.provider_api.budget import Left, RateBudget
from lightfast_pipelines.providers.api_contract import Answer, Call, Limit, discover_apis
from lightfast_pipelines.store.database import Database
from lightfast_pipelines.store.sources import Source
from tests.backfill.conftest import PlainApis
from tests.backfill.plain import PlainApi
from tests.servers.serving import serve

NOW = datetime(2026, 5, 1, tzinfo=UTC)


@contextmanager
def budget_of(database: Database, source: Source, slept: list[float]) -> Iterator[RateBudget]:
    with database.connect(autocommit=True) as conn:
        yield RateBudget(conn, source.installation_id, reserve=50, sleep=slept.append)


def limit(remaining: float, *, seconds: float = 3_600) -> Limit:
    return Limit("core", 5_000, remaining, NOW + timedelta(seconds=seconds))


def test_many_processes_together_take_no_more_than_the_limit(
    database: Database, source: Source
) -> None:
    class OutError(Exception):
        pass

    def out(_: float) -> None:
        raise OutError

    with budget_of(database, source, []) as first:
        first.learn([limit(250)], pool="core", cost=0, answered_at=NOW)

    def take_all() -> int:
        taken = 0
        with database.connect(autocommit=True) as conn:
            budget = RateBudget(conn, source.installation_id, reserve=50, sleep=out)
            try:
                while True:
                    budget.take("core", 1)
                    taken += 1
            except OutError:
                return taken

    with ThreadPoolExecutor(4) as pool:
        taken = sum(future.result() for future in [pool.submit(take_all) for _ in range(4)])
    assert taken == 200


def test_at_most_a_tenth_of_a_small_limit_is_reserved(database: Database, source: Source) -> None:
    """Sentry allows some 40 requests a second: a reserve of 50 would never let one through."""
    slept: list[float] = []
    with budget_of(database, source, slept) as budget:
        there = NOW + timedelta(seconds=1)
        budget.learn([Limit("core", 40, 40, there)], pool="core", cost=0, answered_at=NOW)
        for _ in range(36):
            budget.take("core", 1)
    assert slept == []


def test_the_wait_ends_when_the_limit_is_full_again(database: Database, source: Source) -> None:
    waits = 0

    def sleep(seconds: float) -> None:
        nonlocal waits
        waits += 1
        assert seconds <= 1.0

    with database.connect(autocommit=True) as conn:
        budget = RateBudget(conn, source.installation_id, reserve=50, sleep=sleep)
        budget.learn([limit(10, seconds=0.05)], pool="core", cost=0, answered_at=NOW)
        budget.take("core", 1)
        assert budget.left("core").remaining == 4_999


@pytest.mark.parametrize("years", [-30, 30])
def test_a_reset_from_a_clock_that_jumped_is_at_most_an_hour_away(
    database: Database, source: Source, years: int
) -> None:
    with budget_of(database, source, []) as budget:
        there = NOW + timedelta(days=365 * years)
        budget.learn([Limit("core", 5_000, 0, there)], pool="core", cost=1, answered_at=NOW)
        left = budget.left("core").seconds_to_reset
    assert left is not None
    assert left <= 3_660


@pytest.mark.parametrize("column", ["blocked_until", "resets_at", "updated_at"])
def test_a_wait_that_was_stored_under_a_clock_that_was_ahead_is_over(
    database: Database, source: Source, column: str
) -> None:
    def waits(_: float) -> None:
        raise AssertionError("it waits")

    with database.connect(autocommit=True) as conn:
        budget = RateBudget(conn, source.installation_id, reserve=50, sleep=waits)
        if column == "blocked_until":
            budget.block("core", 600.0)
        else:
            budget.learn([limit(0)], pool="core", cost=1, answered_at=NOW)
        if column == "updated_at":
            conn.execute("UPDATE lightfast.api_budgets SET resets_at = NULL")
        conn.execute(f"UPDATE lightfast.api_budgets SET {column} = {column} + interval '400 days'")
        assert budget.take("core", 1) == 0
        budget.block("core", 0.0)
        assert budget.take("core", 1) == 0


def _told(provider: str, pool: str, limit: float, headers: dict[str, str]) -> Left:
    """What is stored of the limit in an answer's headers."""
    [read] = [
        each
        for each in discover_apis()[provider].limits(
            Call("x", pool=pool), Answer(200, headers, None), NOW
        )
        if each.pool == pool
    ]
    assert read.limit == limit
    return Left(read.limit, read.remaining, 1.0, read.window.total_seconds())


def _headers(prefix: str, limit: int, seconds: float, scale: int = 1) -> dict[str, str]:
    at = int((NOW.timestamp() + seconds) * scale)
    return {f"{prefix}limit": str(limit), f"{prefix}remaining": "1", f"{prefix}reset": str(at)}


@pytest.mark.parametrize(
    ("provider", "pool", "headers", "an_hour"),
    [
        ("sentry", "issues", _headers("x-sentry-rate-limit-", 5, 1), 18_000),
        ("sentry", "issue", _headers("x-sentry-rate-limit-", 10, 0), 36_000),
        ("sentry", "slow", _headers("x-sentry-rate-limit-", 100, 47), 6_000),
        ("vercel", "core", _headers("x-ratelimit-", 500, 33), 30_000),
        ("vercel", "core", _headers("x-ratelimit-", 100, 1_800), 100),
        ("vercel", "core", _headers("x-ratelimit-", 2_400, 40_000), 100),
        ("linear", "complexity", _headers("x-ratelimit-complexity-", 250_000, 9, 1_000), 250_000),
        ("github", "core", _headers("x-ratelimit-", 5_000, 9), 5_000),
        ("github", "graphql", _headers("x-ratelimit-", 5_000, 3_599), 5_000),
        ("github", "search", _headers("x-ratelimit-", 30, 9), 1_800),
    ],
)
def test_a_limit_is_read_with_its_window(
    provider: str, pool: str, headers: dict[str, str], an_hour: float
) -> None:
    limit = next(float(value) for name, value in headers.items() if name.endswith("limit"))
    assert _told(provider, pool, limit, headers).limit_an_hour == an_hour


def test_the_longest_window_seen_counts(database: Database, source: Source) -> None:
    """Just before a reset an hour's limit looks like a second's."""
    with budget_of(database, source, []) as budget:
        for seconds in (60, 3_600, 1):
            window = timedelta(seconds=seconds)
            there = NOW + window
            budget.learn(
                [Limit("core", 900, 800, there, window)], pool="core", cost=0, answered_at=NOW
            )
        assert budget.left("core").limit_an_hour == 900


def test_retry_after_holds_back_every_process(
    database: Database, source: Source, read: Callable[..., BackfillResult]
) -> None:
    with budget_of(database, source, []) as budget:
        budget.block("core", 600.0)
    with serve(PlainApi(50)) as server:
        result = read(source, PlainApis(database, server.url))
    assert 500 < result.waited_seconds <= 600


def test_a_walk_leaves_the_reserve_and_goes_on_in_the_next_period(
    database: Database, source: Source, read: Callable[..., BackfillResult]
) -> None:
    api = PlainApi(1_000, limit=8, reset_after=60.0)
    slept = 0.0

    def pass_time(seconds: float) -> None:
        nonlocal slept
        slept += seconds
        if slept >= api.reset_after:  # the provider counts anew each period
            slept, api.used = 0.0, 0

    with serve(api) as server:
        result = read(source, PlainApis(database, server.url, slept=pass_time))
        refused = [request for request in server.asked if request.status == 429]
    assert (result.status, result.records) == ("completed", 1_000)
    assert result.waited_seconds >= 60
    assert refused == []
