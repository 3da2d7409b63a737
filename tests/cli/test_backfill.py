"""`lightfast backfill` with a server that imitates GitHub's API."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from lightfast_pipelines import settings as settings_module
from lightfast_pipelines.store.database import Database
from tests.cli.conftest import Lightfast
from tests.depth import size
from tests.programs import Programs
from tests.servers.github import TOKEN, GitHubServer
from tests.servers.github_world import World
from tests.servers.serving import Fault, Served, serve

KEY = "07" * 32
SINCE, UNTIL = datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
ASKED = ("--workspace", "shop", "--since", "2025-01-01", "--until", "2026-01-01")


@pytest.fixture(scope="module")
def world() -> World:
    return World.synthetic(seed=3, pulls=150, commits=420, issues=90, since=SINCE, until=UNTIL)


@pytest.fixture
def server(world: World) -> Iterator[Served]:
    with serve(GitHubServer(world)) as served:
        yield served


@pytest.fixture
def shop(
    lightfast: Lightfast, server: Served, world: World, monkeypatch: pytest.MonkeyPatch
) -> str:
    """A workspace with the repository and its token; returns the repository's number."""
    return _linked(lightfast, server, world, monkeypatch)


def _linked(
    lightfast: Lightfast, server: Served, world: World, monkeypatch: pytest.MonkeyPatch
) -> str:
    for name, value in (("ENCRYPTION_KEY", KEY), ("GITHUB_API_URL", server.url), ("TOK", TOKEN)):
        monkeypatch.setenv(name, value)
    settings_module.settings.cache_clear()
    lightfast("workspace", "add", "shop")
    number = str(world.id)
    lightfast(
        *("integration", "add", "--workspace", "shop", "--provider", "github"),
        *("--resource", number, "--name", world.full_name, "--credential-env", "TOK"),
    )
    return number


def delivery_ids(lightfast: Lightfast) -> list[str]:
    with lightfast.database.connect() as conn:
        rows = conn.execute("SELECT delivery_id FROM lightfast.raw_payloads ORDER BY 1").fetchall()
    return [row[0] for row in rows]


def words_of(told: str) -> str:
    """The text on one line, however a terminal wrapped it."""
    return " ".join(told.split())


def test_an_estimate_reads_nothing_and_is_right(
    lightfast: Lightfast, shop: str, server: Served
) -> None:
    expected = lightfast.json("backfill", *ASKED, "--estimate")
    assert delivery_ids(lightfast) == []
    before = len(server.asked)
    done = lightfast.json("backfill", *ASKED)
    assert done["status"] == "completed"
    made = len(server.asked) - before
    assert done["requests"] == made
    assert abs(made - expected["requests"]) <= 0.1 * expected["requests"]
    assert abs(made - done["expected"]["requests"]) <= 0.1 * done["expected"]["requests"]
    assert done["stored"] == len(delivery_ids(lightfast)) > 1_000


def test_the_same_range_again_makes_no_request(
    lightfast: Lightfast, shop: str, server: Served
) -> None:
    lightfast("backfill", *ASKED)
    before = len(server.asked)
    again = lightfast.json("backfill", *ASKED)
    assert (len(server.asked), again["records"]) == (before, 0)


def test_what_the_memory_cannot_use_is_nothing_of_it(
    lightfast: Lightfast, shop: str, server: Served
) -> None:
    lightfast("backfill", *ASKED)
    lightfast("process")
    status = lightfast.json("status")
    assert {name for name, count in status["deliveries"].items() if count} <= {
        *("delivered", "filtered", "total"),
    }, status


def test_status_and_activity_say_who_read_what(
    lightfast: Lightfast, shop: str, server: Served
) -> None:
    lightfast("backfill", *ASKED, "--type", "commit")
    status = lightfast.json("backfill", "status")
    assert [row["status"] for row in status["backfills"]] == ["completed"]
    assert [(row["entity_type"], row["records"]) for row in status["coverage"]] == [("commit", 420)]
    actions = [row["action"] for row in lightfast.json("activity")]
    assert actions[:2] == ["backfill.completed", "backfill.started"]
    listed = lightfast.json("integration", "list")[0]
    assert listed["last_synced_at"] is not None


def test_a_failure_is_one_line_that_says_what_and_where(
    lightfast: Lightfast, shop: str, server: Served
) -> None:
    server.faults.append(Fault("/commits", 99, 404, body={"message": "Not Found"}))
    done = lightfast("backfill", *ASKED, exits=1)
    assert "commit: repositories/" in done.stderr
    assert "is not there, or not to be seen with this token" in done.stderr
    status = lightfast.json("backfill", "status")
    other = {row["status"] for row in status["coverage"] if row["entity_type"] != "commit"}
    assert other == {"completed"}


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (
            Fault("/commits", 99, 403, body={"message": "Resource not accessible"}),
            "GitHub does not let the token read repositories/1/commits: Resource not accessible",
        ),
        (Fault("/commits", 99, 410, body={"message": "Gone"}), "repositories/1/commits is gone"),
        (Fault("/commits", 99, 451), "repositories/1/commits is not to be had for legal reasons"),
        (
            Fault("/commits", 99, 422, body={"message": "Validation Failed"}),
            "GitHub refuses repositories/1/commits (422): Validation Failed",
        ),
        (
            Fault("/commits", 99, 500),
            "GitHub answered 500 for repositories/1/commits (asked 5 times)",
        ),
        (
            Fault("/commits", 99, 200, truncated=True),
            "bytes that are not JSON (application/json) (asked 5 times)",
        ),
        (Fault("/commits", 99, 200, body={"message": "?"}), "commit: "),
    ],
    ids=["403", "410", "451", "422", "500", "cut", "shape"],
)
def test_each_fault_of_the_provider_is_reported_and_the_rest_is_read(
    lightfast: Lightfast,
    shop: str,
    server: Served,
    fault: Fault,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    server.faults.append(replace(fault))
    done = lightfast("backfill", *ASKED, "--type", "commit", "--type", "release", exits=1)
    assert message in words_of(done.stderr)
    coverage = {row["entity_type"]: row for row in lightfast.json("backfill", "status")["coverage"]}
    assert message.removeprefix("commit: ") in (coverage["commit"]["error"] or "")
    assert coverage["commit"]["covered"] == []
    assert coverage["release"]["status"] == "completed"
    assert message in lightfast.json("integration", "list")[0]["sync_error"]


def test_a_refused_token_stops_the_integration_until_another_is_given(
    lightfast: Lightfast, shop: str, server: Served
) -> None:
    server.faults.append(Fault("/commits", 99, 401, body={"message": "Bad credentials"}))
    done = lightfast("backfill", *ASKED, exits=1)
    assert "GitHub refuses the token: Bad credentials" in done.stderr
    row = lightfast.json("integration", "list")[0]
    assert row["sync_status"] == "refused"
    assert "give a new one with `lightfast installation credential" in row["sync_error"]
    asked = len(server.asked)
    again = lightfast("backfill", *ASKED, exits=1)
    assert "Bad credentials" in again.stderr
    assert len(server.asked) == asked
    server.faults.clear()
    lightfast(
        *("installation", "credential", "--provider", "github", "--id", "manual:default"),
        *("--credential-env", "TOK"),
    )
    assert lightfast.json("backfill", *ASKED)["status"] == "completed"
    assert lightfast.json("integration", "list")[0]["sync_status"] == "completed"


def test_wrong_usage_ends_with_a_hint(lightfast: Lightfast, shop: str) -> None:
    for words in (
        ("backfill", "--workspace", "shop"),
        ("backfill", "--workspace", "shop", "--since", "soon"),
        ("backfill", "--workspace", "shop", "--since", "2026-01-01", "--until", "2025-01-01"),
        ("backfill", *ASKED, "--provider", "gitlab"),
    ):
        lightfast(*words, exits=2)
    unknown = lightfast("backfill", *ASKED, "--type", "commits", exits=1)
    assert "no such entity type: commits; known: commit, " in unknown.stderr
    assert "no backfill is running" in lightfast("backfill", "cancel", exits=1).stderr


def test_a_link_without_a_credential_says_how_to_give_one(
    lightfast: Lightfast, server: Served
) -> None:
    lightfast("workspace", "add", "shop")
    lightfast(
        *("integration", "add", "--workspace", "shop", "--provider", "github"),
        *("--resource", "1", "--name", "acme/shop"),
    )
    done = lightfast("backfill", *ASKED, exits=1)
    assert "it has no credential: give one with `lightfast integration add" in done.stderr
    assert len(server.asked) == 0


def test_a_process_killed_again_and_again_at_random_points_ends_in_the_same_rows(
    lightfast: Lightfast,
    shop: str,
    server: Served,
    world: World,
    new_database: Callable[[], Database],
    monkeypatch: pytest.MonkeyPatch,
    programs: Programs,
) -> None:
    command = [sys.executable, "-c", "from lightfast_pipelines.cli import app; app()"]
    command += ["backfill", *ASKED]
    chance = random.Random(5)
    killed = 0
    kills = size(2, 10)
    for _ in range(kills):
        child = programs.start(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        pages = len(server.asked) + chance.randint(2, 9)
        while child.poll() is None and len(server.asked) < pages and time.monotonic() < deadline:
            os.sched_yield()
        if child.poll() is None:
            os.kill(child.pid, signal.SIGKILL)
            child.wait()
            killed += 1
    assert killed >= kills // 2
    # A look at the status marks the dead ones.
    runs = lightfast.json("backfill", "status")["backfills"]
    assert {run["status"] for run in runs} <= {"failed", "completed"}
    lightfast("backfill", *ASKED)
    interrupted = _rows(lightfast)
    lightfast("process")
    digest = lightfast.json("digest")
    undisturbed = Lightfast(new_database())
    monkeypatch.setenv("LIGHTFAST_DATABASE_URL", undisturbed.database.url("migrator"))
    _linked(undisturbed, server, world, monkeypatch)
    undisturbed("backfill", *ASKED)
    assert interrupted == _rows(undisturbed)
    undisturbed("process")
    assert undisturbed.json("digest") == digest


def _rows(lightfast: Lightfast) -> list[tuple[str, bytes]]:
    """Each delivery with the hash of its bytes; a repeated one would appear twice."""
    with lightfast.database.connect() as conn:
        return conn.execute(
            "SELECT delivery_id, body_sha256 FROM lightfast.raw_payloads ORDER BY 1, 2"
        ).fetchall()


def test_since_accepts_a_number_of_days(lightfast: Lightfast, shop: str) -> None:
    done = lightfast.json("backfill", "--workspace", "shop", "--since", "10d", "--type", "release")
    assert done["status"] == "completed"
    since = datetime.fromisoformat(lightfast.json("backfill", "status")["backfills"][0]["since"])
    assert abs(datetime.now(UTC) - timedelta(days=10) - since) < timedelta(minutes=5)


def test_reading_the_time_since_again_costs_no_request(
    lightfast: Lightfast, shop: str, server: Served
) -> None:
    """Lists that show anything new are requested with their ETag, which is free."""
    types = ("--type", "issue_event", "--type", "release")
    lightfast("backfill", "--workspace", "shop", "--since", "2025-01-01", *types)
    with lightfast.database.connect() as conn:
        conn.execute(
            "UPDATE lightfast.backfill_coverage SET covered = covered - "
            "tstzmultirange(tstzrange(upper(covered) - interval '1 hour', NULL))"
        )
        conn.commit()
    before = len(server.asked)
    done = lightfast.json("backfill", "--workspace", "shop", "--since", "2025-01-01", *types)
    assert done["status"] == "completed"
    assert [request.status for request in server.asked[before:]] == [304, 304]
