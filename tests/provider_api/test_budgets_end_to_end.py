"""Each provider's limits over HTTP: they are stored, and a walk obeys them and goes on."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lightfast_pipelines.store.database import Database
from tests.backfill.reading import SINCE, UNTIL, Reading
from tests.servers import sentry as sentry_server
from tests.servers import vercel as vercel_server
from tests.servers.github import TOKEN, GitHubServer
from tests.servers.github_world import World
from tests.servers.linear import Linear
from tests.servers.linear import app as linear_app
from tests.servers.linear_life import lived
from tests.servers.serving import App, Fault, serve


def _github(database: Database) -> tuple[Reading, App]:
    world = World.synthetic(seed=7, pulls=3, commits=3, issues=4, since=SINCE, until=UNTIL)
    reading = Reading(database, "github", str(world.id), TOKEN, name=world.full_name)
    return reading, GitHubServer(world)


def _vercel(database: Database) -> tuple[Reading, App]:
    first = int(SINCE.timestamp() * 1000)
    made = [vercel_server.Deployment(f"dpl_{n}", first + n, ended=first + n + 9) for n in range(5)]
    meta = {"teamId": "team_1"}
    reading = Reading(database, "vercel", "prj_1", vercel_server.TOKEN, name="shop", meta=meta)
    return reading, vercel_server.application(vercel_server.World(made))


def _linear(database: Database) -> tuple[Reading, App]:
    reading = Reading(database, "linear", "team-1", "live-token", name="Engineering")
    return reading, linear_app(Linear(lived(5, 20, teams=1), tokens={"live-token"}))


def _sentry(database: Database) -> tuple[Reading, App]:
    issues = [sentry_server.Issue(n, [SINCE + timedelta(days=n)]) for n in range(1, 4)]
    reading = Reading(database, "sentry", "42", sentry_server.TOKEN, name="acme/shop")
    return reading, sentry_server.application(sentry_server.World(issues))


def _now() -> int:
    return int(time.time())


# Provider -> what it serves, the entity type, how it says "too many", and the limits that are kept of
# its good answers: (pool, limit, seconds that it counts for).
PROVIDERS: dict[
    str,
    tuple[
        Callable[[Database], tuple[Reading, App]],
        str,
        Callable[[], Fault],
        set[tuple[str, float, float]],
    ],
] = {
    "github": (
        _github,
        "issue",
        lambda: Fault(
            "/issues?",
            1,
            403,
            {"retry-after": "0"},
            {"message": "You have exceeded a secondary rate limit."},
        ),
        {("core", 5_000, 3_600)},
    ),
    "vercel": (
        _vercel,
        "deployment",
        lambda: Fault(
            "/v7/deployments",
            1,
            429,
            body={"error": {"code": "rate_limited", "limit": {"reset": _now()}}},
        ),
        {("core", 10_000, 60)},
    ),
    "linear": (
        _linear,
        "issue",
        lambda: Fault(
            "issues(",
            1,
            400,
            {"retry-after": "0"},
            {"errors": [{"message": "Rate limit", "extensions": {"code": "RATELIMITED"}}]},
        ),
        {("requests", 5_000, 3_600), ("complexity", 3_000_000, 3_600)},
    ),
    "sentry": (
        _sentry,
        "issue",
        lambda: Fault(
            "/issues/?",
            1,
            429,
            {"x-sentry-rate-limit-reset": str(_now())},
            {"detail": "You are attempting to use this endpoint too frequently."},
        ),
        {("issues", 40, 1), ("issue", 40, 1)},
    ),
}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_walk_that_is_asked_to_slow_down_waits_and_goes_on(
    database: Database, provider: str
) -> None:
    make, kind, fault, limits = PROVIDERS[provider]
    reading, app = make(database)
    with serve(app) as served:
        served.faults.append(fault())
        since, until = datetime(2023, 1, 1, tzinfo=UTC), UNTIL
        unit = reading.read(served, kind, since, until)
        assert sum(request.status in (400, 403, 429) for request in served.asked) == 1
    assert (unit.status, unit.error) == ("completed", None)
    assert unit.stored > 0
    with database.connect("pipeline") as conn:
        pools: list[Any] = conn.execute(
            "SELECT pool, limit_, window_seconds FROM lightfast.api_budgets WHERE limit_ IS NOT NULL"
        ).fetchall()
    assert set(pools) >= limits
