"""Failed workflow runs while others are started again: no failed run is lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from lightfast_pipelines.providers.api_contract import (
    Answer,
    Credential,
    Cursor,
    LinkedResource,
    Window,
)
from lightfast_pipelines.providers.github.api import API, workflow_runs
from lightfast_pipelines.store.database import Database
from tests.backfill.conftest import PlainApis
from tests.providers.backfilled import by_backfill, by_webhook, current_states, observations
from tests.servers.github import TOKEN, GitHubServer
from tests.servers.github_records import WorkflowRun, sha
from tests.servers.github_webhooks import webhooks
from tests.servers.github_world import World
from tests.servers.serving import serve
from tests.servers.walking import Asking

WINDOW = Window(datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))
WALKER = workflow_runs.WALKER


def failed_runs(count: int) -> World:
    world = World()
    for number in range(count):
        at = WINDOW.since + timedelta(hours=1 + number)
        run = WorkflowRun(50_000 + number, number, sha(number), "ada", at, at)
        run.conclusion = "failure"
        world.runs.append(run)
    return world


@pytest.fixture
def world() -> World:
    return failed_runs(350)


@pytest.fixture
def asking(world: World) -> Iterator[Asking]:
    server = GitHubServer(world)
    with serve(server) as running, httpx.Client(timeout=30) as http:
        yield Asking(API, running.url, Credential("personal", TOKEN), http)


def place_of(world: World) -> LinkedResource:
    return LinkedResource("github", str(world.id), world.full_name)


def starting_again(world: World, pages: Callable[[int], bool]) -> Callable[[int], None]:
    """After each of these pages the newest failed run is started again."""

    def between(number: int) -> None:
        if pages(number):
            failed = [run for run in world.runs if run.conclusion == "failure"]
            newest = max(failed, key=lambda run: run.created_at)
            newest.status, newest.conclusion = "in_progress", None

    return between


def test_a_run_that_is_started_again_meanwhile_hides_no_other(world: World, asking: Asking) -> None:
    walk = asking.walk(
        WALKER, place_of(world), WINDOW, between=starting_again(world, lambda page: page in (1, 3))
    )
    told = {int(name.split(":")[2]) for name in walk.rows}
    assert {run.id for run in world.runs if run.conclusion == "failure"} <= told
    assert not walk.troubles


def test_where_runs_are_started_again_all_the_time_the_walk_ends_and_reports_it(
    world: World, asking: Asking
) -> None:
    walk = asking.walk(
        WALKER, place_of(world), WINDOW, between=starting_again(world, lambda _: True)
    )
    assert walk.requests < 20
    assert {trouble.reason for trouble in walk.troubles} == {
        "runs were started again while it was read: one may be missing"
    }


def runs(total: int) -> Answer:
    return Answer(200, {}, {"total_count": total, "workflow_runs": []})


def test_a_span_that_grows_past_what_github_lists_is_cut_then() -> None:
    since, until = "2025-05-01T00:00:00Z", "2025-05-01T09:59:59Z"
    cursor: Cursor = {"spans": [[since, until]], "offset": 900, "total": 999}
    page = WALKER.read(LinkedResource("github", "1", "acme/shop"), WINDOW, cursor, runs(1_001))
    assert page.next is not None
    assert page.next["offset"] == 0
    assert len(page.next["spans"]) == 2


def test_a_cursor_that_was_stored_without_a_total_goes_on() -> None:
    cursor: Cursor = {"spans": [["2025-05-01T00:00:00Z", "2025-05-02T00:00:00Z"]], "offset": 100}
    page = WALKER.read(LinkedResource("github", "1", "acme/shop"), WINDOW, cursor, runs(120))
    assert page.next is not None
    # The failed runs are read; those that timed out are another search, from its beginning.
    assert (page.next["status"], page.next["offset"]) == ("timed_out", 0)


def test_runs_end_in_the_same_rows_by_webhook_and_by_api(
    new_database: Callable[[], Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs that failed, timed out or could not start, and each attempt of runs that were started again."""
    world = World()
    first = WINDOW.since + timedelta(days=3)
    for number, conclusion in enumerate(("failure", "timed_out", "startup_failure", "failure")):
        at = first + timedelta(hours=number)
        run = WorkflowRun(70_000 + number, number, sha(number), "ada", at, at)
        run.updated_at, run.conclusion = at + timedelta(minutes=9), conclusion
        world.runs.append(run)
    again = world.runs[-1]
    again.start_again("success", first + timedelta(days=2))
    again.start_again("timed_out", first + timedelta(days=20))
    world.touch()
    read, heard = new_database(), new_database()
    with serve(GitHubServer(world)) as served:
        apis = PlainApis(read, served.url, API, token=TOKEN)
        by_backfill(read, monkeypatch, apis, str(world.id), WINDOW, {"id": world.id})
    deliveries: list[tuple[str, bytes, Mapping[str, str]]] = [
        (event, json.dumps(body).encode(), {}) for event, body, _, _ in webhooks(world)
    ]
    by_webhook(heard, "github", [str(world.id)], deliveries)
    with read.connect("pipeline") as one, heard.connect("pipeline") as other:
        assert len(observations(one)) == 6
        assert observations(one) == observations(other)
        assert current_states(one) == current_states(other)


def test_a_run_that_is_started_again_weeks_later_is_read_by_the_day_on_which_it_failed(
    asking: Asking, world: World
) -> None:
    world.runs[:] = world.runs[:1]
    [run] = world.runs
    run.start_again("failure", run.created_at + timedelta(days=29))
    world.touch()
    began, ended = run.earlier[0][1], run.updated_at
    for moment, attempts in ((began, 2), (ended, 2)):
        day = Window(moment - timedelta(hours=1), moment + timedelta(hours=1))
        walk = asking.walk(WALKER, place_of(world), day)
        told = [record.payload["workflow_run"]["run_attempt"] for record in walk.records]
        assert told == [1 if moment == began else attempts]


def test_a_deleted_attempt_is_reported_and_the_walk_goes_on(asking: Asking, world: World) -> None:
    world.runs[0].attempt = 3
    world.touch()
    walk = asking.walk(WALKER, place_of(world), WINDOW)
    assert [trouble.item for trouble in walk.troubles] == ["attempt 2 of workflow run 50000"]
    assert len(walk.records) == len(world.runs)


def test_the_estimate_counts_each_search_and_each_earlier_attempt(
    asking: Asking, world: World
) -> None:
    world.runs[340].start_again("failure", world.runs[340].updated_at + timedelta(hours=2))
    world.runs[20].conclusion = "timed_out"
    world.touch()
    estimate, asked = asking.estimate(WALKER, place_of(world), WINDOW)
    walk = asking.walk(WALKER, place_of(world), WINDOW)
    assert asked == 3
    assert estimate.items == len(world.runs)
    assert estimate.requests == walk.requests
