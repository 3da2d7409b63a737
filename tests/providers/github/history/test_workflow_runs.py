"""Failed workflow runs while others are started again: none that still failed is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from lightfast_pipelines.providers.github.history import HISTORY, workflow_runs
from lightfast_pipelines.providers.history import Answer, Credential, Cursor, Place, Window
from tests.servers.github import TOKEN, GitHubServer
from tests.servers.github_world import WorkflowRun, World, sha
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
        yield Asking(HISTORY, running.url, Credential("personal", TOKEN), http)


def place_of(world: World) -> Place:
    return Place("github", str(world.id), world.full_name)


def starting_again(world: World, pages: Callable[[int], bool]) -> Callable[[int], None]:
    """After each of these pages the newest of the runs that failed is started again."""

    def between(number: int) -> None:
        if pages(number):
            failed = [run for run in world.runs if run.conclusion == "failure"]
            newest = max(failed, key=lambda run: run.created_at)
            newest.status, newest.conclusion = "in_progress", None

    return between


def test_a_run_that_is_started_again_meanwhile_takes_no_other_with_it(
    world: World, asking: Asking
) -> None:
    walk = asking.walk(
        WALKER, place_of(world), WINDOW, between=starting_again(world, lambda page: page in (1, 3))
    )
    told = {int(name.split(":")[2]) for name in walk.rows}
    assert {run.id for run in world.runs if run.conclusion == "failure"} <= told
    assert not walk.troubles


def test_where_runs_are_started_again_all_the_time_the_walk_ends_and_says_so(
    world: World, asking: Asking
) -> None:
    walk = asking.walk(
        WALKER, place_of(world), WINDOW, between=starting_again(world, lambda _: True)
    )
    assert walk.requests < 20
    assert {one.reason for one in walk.troubles} == {
        "runs were started again while it was read: one may be missing"
    }


def runs(total: int) -> Answer:
    return Answer(200, {}, {"total_count": total, "workflow_runs": []})


def test_a_span_that_grows_past_what_github_lists_is_cut_then() -> None:
    since, until = "2025-05-01T00:00:00Z", "2025-05-01T09:59:59Z"
    cursor: Cursor = {"spans": [[since, until]], "offset": 900, "total": 999}
    page = WALKER.read(Place("github", "1", "acme/shop"), WINDOW, cursor, runs(1_001))
    assert page.next is not None
    assert page.next["offset"] == 0
    assert len(page.next["spans"]) == 2


def test_a_cursor_that_was_stored_without_a_total_goes_on() -> None:
    cursor: Cursor = {"spans": [["2025-05-01T00:00:00Z", "2025-05-02T00:00:00Z"]], "offset": 100}
    page = WALKER.read(Place("github", "1", "acme/shop"), WINDOW, cursor, runs(120))
    assert page.next is None
