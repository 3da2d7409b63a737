"""Walks of Linear's lists and histories are complete from any cursor, at any page size, despite changes."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lightfast_pipelines.providers.api_contract import (
    Answer,
    AnswerOutcome,
    Credential,
    Estimate,
    LinkedResource,
    Walker,
    Window,
)
from lightfast_pipelines.providers.linear.api import API
from tests.providers.agreement import api_of
from tests.servers.linear import Linear, app
from tests.servers.linear_ground import text_of
from tests.servers.linear_life import lived
from tests.servers.linear_world import World
from tests.servers.walking import Asking

KEY = Credential("api_key", "lin_api_test")
PLACE = LinkedResource("linear", "org-1", "Acme", installation_id="org-1")
EVER = Window(datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC))
WALKERS = {walker.entity_type: walker for walker in API.walkers}
ISSUES = WALKERS["issue"]


def busy(entries: int = 400, others: int = 30) -> World:
    """One issue with a long history among others."""
    world = World()
    for _ in range(others):
        world.issue()
    issue = world.issues[10]
    for number in range(entries):
        world.change(issue, world.people[number % 4], priority=1 + number % 2)
    return world


def api(world: World) -> Any:
    return api_of(API, app(Linear(world)), KEY)


@pytest.mark.parametrize("entity_type", WALKERS)
def test_a_walk_resumed_at_any_cursor_yields_the_same(entity_type: str) -> None:
    walker = WALKERS[entity_type]
    with api(lived(3, 400)) as client:
        whole = client.walk(walker, PLACE, EVER, sizes=lambda _: 3)
        assert len(whole.cursors) > 1
        for cursor, done in zip(whole.cursors, whole.had, strict=True):
            rest = client.walk(walker, PLACE, EVER, start=cursor, sizes=lambda _: 3)
            assert whole.records[:done] + rest.records == whole.records


@pytest.mark.parametrize("entity_type", WALKERS)
def test_halving_pages_during_a_walk_loses_nothing(entity_type: str) -> None:
    walker = WALKERS[entity_type]
    with api(lived(5, 400)) as client:
        whole = client.walk(walker, PLACE, EVER)
        halved = client.walk(walker, PLACE, EVER, sizes=lambda n: max(1, 4 >> n))
    assert halved.rows == whole.rows
    assert halved.requests > whole.requests


def test_a_history_longer_than_a_page_is_walked_to_its_end() -> None:
    world = busy(400)
    with api(world) as client:
        walked = client.walk(ISSUES, PLACE, EVER)
    of_it = [record for record in walked.records if record.payload["data"]["id"] == "issue-11"]
    assert [each.payload["action"] for each in of_it] == ["update"] * 400 + ["create"]
    assert of_it[-1].payload["data"]["priority"] == 0
    assert len(walked.rows) == 430


def test_a_long_history_is_read_back_to_the_beginning_of_the_window() -> None:
    world = busy(400)
    since = datetime.fromisoformat(world.issues[10]["history"][-20]["createdAt"])
    with api(world) as client:
        walked = client.walk(ISSUES, PLACE, Window(since, EVER.until))
    assert len(walked.records) == 20
    assert walked.requests == 2


def test_a_walk_survives_the_deletion_of_an_issue_with_a_long_history() -> None:
    world = busy(40)
    with api(world) as client:
        first = _page(client, ISSUES, {"after": None}, 20)
        assert first.next == {"after": "issue-11", "deep": ["issue-11"]}
        world.issues.pop(10)
        after = _page(client, ISSUES, first.next, 20)
    assert after.next == {"after": "issue-11"}
    assert not after.records


def test_a_walk_skips_nothing_that_changes_meanwhile() -> None:
    world = World()
    for _ in range(30):
        world.issue()
    until = world.now + timedelta(seconds=1)
    window = Window(EVER.since, until)
    with api(world) as client:
        first = _page(client, ISSUES, ISSUES.start(PLACE, window), 20, window)
        for issue in world.issues:
            world.change(issue, priority=3)
        assert first.next is not None
        rest = client.walk(ISSUES, PLACE, window, start=first.next)
    made = [each for each in (*first.records, *rest.records) if window.holds(each.occurred_at)]
    assert len({each.delivery_id for each in made}) == 30
    # And what is read of them is what they were before.
    assert {each.payload["data"]["priority"] for each in made} == {0}


def test_an_issue_trashed_in_the_window_is_found_although_it_changed_before() -> None:
    world = World()
    issue, project = world.issue(), world.project(world.people[0])
    since = world.now + timedelta(seconds=1)
    world.end(issue, world.people[0], trash=True)
    world.end_project(project, world.people[0], trash=True)
    with api(world) as client:
        for entity_type in ("issue", "project"):
            walked = client.walk(WALKERS[entity_type], PLACE, Window(since, EVER.until))
            assert [record.payload["action"] for record in walked.records] == ["remove"]


def test_archiving_without_an_entry_in_the_history_is_stated() -> None:
    world = World()
    issue = world.issue()
    issue["archivedAt"] = world.tick()
    with api(world) as client:
        walked = client.walk(ISSUES, PLACE, EVER)
    update = next(record for record in walked.records if record.payload["action"] == "update")
    assert update.payload["updatedFrom"] == {"archivedAt": None}
    assert text_of(update.occurred_at) == issue["archivedAt"]
    assert "actor" not in update.payload


@pytest.mark.parametrize("resource", ["team-1", "project-1"])
def test_only_what_belongs_to_the_linked_team_or_project_is_walked(resource: str) -> None:
    world = lived(7, 400)
    place = replace(PLACE, resource_id=resource)
    with api(world) as client:
        walked = client.walk(ISSUES, place, EVER)
        comments = client.walk(WALKERS["comment"], place, EVER)
        projects = client.walk(WALKERS["project"], place, EVER)
    mine = {
        issue["id"]
        for issue in world.issues
        if resource in (issue["team"]["id"], (issue["project"] or {}).get("id"))
    }
    assert 0 < len(mine) < len(world.issues)
    data = [record.payload["data"] for record in walked.records]
    assert {each.get("issueId") or each["id"] for each in data} == mine
    about = {record.payload["data"]["issueId"] for record in comments.records}
    assert about == mine & {comment["issue"]["id"] for comment in world.comments}
    of_it = [
        project["id"]
        for project in world.projects
        if resource in (project["id"], *(team["id"] for team in project["teams"]))
    ]
    assert {record.payload["data"]["id"] for record in projects.records} == set(of_it)


def test_a_resource_without_an_id_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(ValueError, match="link a team, a project or the organization"):
        ISSUES.call(replace(PLACE, resource_id=""), EVER, {"after": None}, 20)


def test_a_malformed_entry_or_item_is_reported_and_the_walk_goes_on() -> None:
    world = World()
    for _ in range(3):
        world.change(world.issue(), world.people[0], priority=1)
    with api(world) as client:
        answer = client.good(ISSUES.call(PLACE, EVER, {"after": None}, 20))
    broken = json.loads(json.dumps(answer.data))
    nodes = broken["data"]["issues"]["nodes"]
    nodes[0]["createdAt"] = None
    nodes[1]["history"]["nodes"][0]["createdAt"] = "yesterday"
    nodes.append(7)
    page = ISSUES.read(PLACE, EVER, {"after": None}, replace(answer, data=broken))
    assert [trouble.item for trouble in page.troubles] == [
        "issue issue-3",
        "issue issue-2 history issue-2-history-1",
        "issue ?",
    ]
    assert {record.payload["data"]["id"] for record in page.records} == {"issue-1", "issue-2"}


def test_the_same_world_read_twice_gives_the_same_bytes() -> None:
    with api(lived(9, 200)) as client:
        for walker in API.walkers:
            assert client.walk(walker, PLACE, EVER).rows == client.walk(walker, PLACE, EVER).rows


@pytest.mark.parametrize("entity_type", WALKERS)
def test_the_estimate_equals_what_the_walk_takes(entity_type: str) -> None:
    walker = WALKERS[entity_type]
    with api(lived(11, 900)) as client:
        estimate, asked = client.estimate(walker, PLACE, EVER)
        walked = client.walk(walker, PLACE, EVER)
    assert asked <= 2
    assert estimate.requests == walked.requests


def test_the_estimate_of_a_long_list_is_close_and_marked_as_inexact() -> None:
    world = World()
    for number in range(4_000):
        world.tick(600 if number < 2_500 else 7_000)
        world.issue()
    with api(world) as client:
        estimate, asked = client.estimate(ISSUES, PLACE, EVER)
    assert asked <= 12
    assert not estimate.exact
    assert abs(estimate.requests - 200) <= 20


def test_the_estimate_counts_long_histories_as_requests() -> None:
    with api(busy(40)) as client:
        estimate, _ = client.estimate(ISSUES, PLACE, EVER)
        walked = client.walk(ISSUES, PLACE, EVER)
    assert estimate.requests == walked.requests == 3
    assert isinstance(estimate, Estimate)
    assert estimate.items == 30


@pytest.mark.parametrize("entity_type", WALKERS)
def test_no_page_is_too_complex_and_its_cost_is_known_in_advance(entity_type: str) -> None:
    walker = WALKERS[entity_type]
    with api(lived(13, 100)) as client:
        for call in (
            walker.call(PLACE, EVER, walker.start(PLACE, EVER), walker.page_size),
            walker.probe(PLACE, EVER, []),
        ):
            assert not isinstance(call, Estimate)
            cost = float(client.good(call).headers["x-complexity"])
            assert cost <= 10_000
            assert call.pool == "complexity"
            assert abs(call.cost - cost) / cost < 0.1


def test_a_page_that_is_too_complex_is_refused_and_a_smaller_one_is_not() -> None:
    linear = Linear(busy(3), most_complex=2_500)
    with api_of(API, app(linear), KEY) as client:
        call = ISSUES.call(PLACE, EVER, {"after": None}, 20)
        _, verdict = client.ask(call)
        assert verdict.outcome is AnswerOutcome.HEAVY
        assert "too complex" in verdict.message
        assert client.walk(ISSUES, PLACE, EVER, sizes=lambda _: 5).records


def _page(client: Asking, walker: Walker, cursor: Any, size: int, window: Window = EVER) -> Any:
    answer: Answer = client.good(walker.call(PLACE, window, cursor, size))
    return walker.read(PLACE, window, cursor, answer)
