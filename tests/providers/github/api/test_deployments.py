"""Deployments with many statuses, in pages of any length, and deployments that are deleted meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightfast_pipelines.providers.api_contract import Answer, Credential, LinkedResource, Window
from lightfast_pipelines.providers.github.api import API, deployments
from tests.depth import examples
from tests.servers.github import TOKEN, GitHubServer
from tests.servers.github_records import Deployment, DeploymentStatus, sha
from tests.servers.github_world import World
from tests.servers.serving import serve
from tests.servers.walking import Asking, Walk

WINDOW = Window(datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))
WALKER = deployments.WALKER
PLACE = LinkedResource("github", "1", "acme/shop")
STATUSES = 230


def deployed() -> World:
    world = World()
    made = WINDOW.since + timedelta(days=1)
    deployment = Deployment(700, sha(1), "ada", made)
    for number in range(STATUSES):
        at = made + timedelta(minutes=1 + number)
        deployment.statuses.append(DeploymentStatus(9_000 + number, "in_progress", at, "ada"))
    world.deployments.append(deployment)
    return world


@pytest.fixture(scope="module")
def asking() -> Iterator[Asking]:
    server = GitHubServer(deployed())
    server.limits = {"core": 10**9}
    with serve(server) as running, httpx.Client(timeout=30) as http:
        yield Asking(API, running.url, Credential("personal", TOKEN), http)


def test_statuses_that_are_too_heavy_for_a_page_are_fetched_in_shorter_ones() -> None:
    cursor = {"pending": [{"id": 700}], "then": None}
    sizes = [WALKER.call(PLACE, WINDOW, cursor, size).params["per_page"] for size in (20, 10, 1)]
    assert sizes == ["100", "50", "5"]


@examples(25)
@given(halvings=st.lists(st.integers(0, 8), max_size=4))
def test_no_status_is_lost_wherever_the_pages_are_halved(
    asking: Asking, halvings: list[int]
) -> None:
    """The walk halves a page that is too heavy, and keeps the shorter size."""

    def size(page: int) -> int:
        return max(1, WALKER.page_size >> sum(halving <= page for halving in halvings))

    walk = asking.walk(WALKER, PLACE, WINDOW, sizes=size)
    assert len(walk.rows) == 1 + STATUSES
    assert not walk.troubles


def deploying(count: int) -> World:
    world = World()
    for number in range(count):
        at = WINDOW.since + timedelta(hours=1 + number)
        status = DeploymentStatus(9_000 + number, "success", at + timedelta(minutes=1), "ada")
        world.deployments.append(
            Deployment(700 + number, sha(number), "ada", at, statuses=[status])
        )
    return world


def walked(world: World, gone: dict[int, list[int]]) -> Walk:
    """Walks through the world, while these deployments are deleted after so many pages."""
    server = GitHubServer(world)
    server.limits = {"core": 10**9}

    def between(pages: int) -> None:
        for identity in gone.get(pages, []):
            world.delete_deployment(identity)

    with serve(server) as running, httpx.Client(timeout=30) as http:
        asking = Asking(API, running.url, Credential("personal", TOKEN), http)
        return asking.walk(WALKER, PLACE, WINDOW, between=between)


@pytest.mark.parametrize("gone", [[748], [749], [730], [749, 748, 747], range(730, 750)])
def test_a_deployment_that_is_deleted_after_it_was_listed_hides_no_other(gone: list[int]) -> None:
    world = deploying(50)
    walk = walked(world, {1: list(gone)})
    for one in world.deployments:
        assert f"backfill:deployment:{one.id}:created" in walk.rows
        assert f"backfill:deployment-status:{one.statuses[0].id}" in walk.rows
    # The page is read again for the first of them, and no longer lists the others.
    assert [one.item for one in walk.troubles] == [f"statuses of deployment {max(gone)}"]


def test_a_later_deployment_makes_an_earlier_one_inactive_in_a_later_window() -> None:
    """Each of 70 deployments is made inactive by the next one; one on page 2 during the window."""
    world = deploying(70)
    for one, following in pairwise(world.deployments):
        at = following.created_at + timedelta(minutes=2)
        one.statuses.append(DeploymentStatus(one.id + 20_000, "inactive", at, "ada"))
    last = world.deployments[-1].created_at
    world.deployments[-25].statuses.append(
        DeploymentStatus(99_000, "inactive", last + timedelta(minutes=3), "ada")
    )
    window = Window(last - timedelta(minutes=1), WINDOW.until)
    server = GitHubServer(world)
    with serve(server) as running, httpx.Client(timeout=30) as http:
        asking = Asking(API, running.url, Credential("personal", TOKEN), http)
        walk = asking.walk(WALKER, PLACE, window)
    told = {name for name in walk.rows if "status" in name}
    assert f"backfill:deployment-status:{world.deployments[-2].id + 20_000}" in told
    assert "backfill:deployment-status:99000" in told
    assert len(told) == 3


def test_a_cursor_that_was_stored_without_its_page_goes_on_from_the_top() -> None:
    pending = {"pending": [{"id": 7}], "then": None}
    page = WALKER.read(PLACE, WINDOW, pending, Answer(404, {}, {"message": "Not Found"}))
    assert page.next == {"offset": 0, "done": [7]}


def test_only_requests_about_one_deployment_may_be_missing() -> None:
    start = WALKER.start(PLACE, WINDOW)
    pending = {"pending": [{"id": 7}], "then": None}
    assert not WALKER.call(PLACE, WINDOW, start, 20).of_one
    assert WALKER.call(PLACE, WINDOW, pending, 20).of_one
