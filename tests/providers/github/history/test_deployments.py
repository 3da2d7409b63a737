"""Statuses of a deployment that has many, in pages of any length."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightfast_pipelines.providers.github.history import HISTORY, deployments
from lightfast_pipelines.providers.history import Credential, Place, Window
from tests.servers.github import TOKEN, GitHubServer
from tests.servers.github_world import Deployment, DeploymentStatus, World, sha
from tests.servers.serving import serve
from tests.servers.walking import Asking

WINDOW = Window(datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))
WALKER = deployments.WALKER
PLACE = Place("github", "1", "acme/shop")
STATUSES = 230


def deployed() -> World:
    world = World()
    made = WINDOW.since + timedelta(days=1)
    one = Deployment(700, sha(1), "ada", made)
    for number in range(STATUSES):
        at = made + timedelta(minutes=1 + number)
        one.statuses.append(DeploymentStatus(9_000 + number, "in_progress", at, "ada"))
    world.deployments.append(one)
    return world


@pytest.fixture(scope="module")
def asking() -> Iterator[Asking]:
    server = GitHubServer(deployed())
    server.limits = {"core": 10**9}
    with serve(server) as running, httpx.Client(timeout=30) as http:
        yield Asking(HISTORY, running.url, Credential("personal", TOKEN), http)


def test_statuses_that_are_too_heavy_for_a_page_are_asked_for_in_shorter_ones() -> None:
    cursor = {"pending": [{"id": 700}], "then": None}
    sizes = [WALKER.call(PLACE, WINDOW, cursor, size).params["per_page"] for size in (20, 10, 1)]
    assert sizes == ["100", "50", "5"]


@settings(max_examples=25)
@given(halvings=st.lists(st.integers(0, 8), max_size=4))
def test_no_status_is_lost_wherever_the_pages_are_halved(
    asking: Asking, halvings: list[int]
) -> None:
    """The engine halves on the page that is too heavy, and keeps to the shorter one."""

    def size(page: int) -> int:
        return max(1, WALKER.page_size >> sum(each <= page for each in halvings))

    walk = asking.walk(WALKER, PLACE, WINDOW, sizes=size)
    assert len(walk.rows) == 1 + STATUSES
    assert not walk.troubles
