"""The API's history and the webhooks of one organization state the same facts, where both know them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lightfast_pipelines.domain.events import Statement
from lightfast_pipelines.providers.api_contract import Credential, LinkedResource, Window
from lightfast_pipelines.providers.linear import PROVIDER
from lightfast_pipelines.providers.linear.api import API
from lightfast_pipelines.providers.linear.api.shared_facts import (
    LATEST_BY_API,
    ONLY_BY_WEBHOOK,
    SHARED,
)
from tests.providers.agreement import api_of, statements, untold
from tests.servers.linear import Linear, app
from tests.servers.linear_life import lived
from tests.servers.linear_world import World, webhooks

KEY = Credential("api_key", "lin_api_test")
PLACE = LinkedResource("linear", "org-1", "Acme", installation_id="org-1")
EVER = Window(datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC))
# Of these the API does not tell who did them.
_OF_ANY = ("webhookId", "webhookTimestamp")
_BY_NOBODY = ("cycle.", "project.", "comment.edited", "project-update.edited")
# What a later change has taken from the API: its states are then fewer.
_FEWER_STATES = ("project.", "project-update.")


def told_by_webhooks(world: World) -> dict[str, Statement]:
    return _by_id(
        statement for event, payload in webhooks(world) for statement in _read(event, payload)
    )


def told_by_api(
    world: World, place: LinkedResource = PLACE, window: Window = EVER
) -> dict[str, Statement]:
    found: list[Statement] = []
    with api_of(API, app(Linear(world)), KEY) as api:
        for walker in API.walkers:
            walked = api.walk(walker, place, window)
            assert not walked.troubles
            assert len(walked.rows) == len(walked.records)
            for record in walked.records:
                read = statements(PROVIDER, record.event_type, record.payload, {})
                assert record.occurred_at in {each.occurred_at for each in read}
                found += read
    return _by_id(found)


def _read(event: str, payload: Any) -> list[Statement]:
    return list(statements(PROVIDER, event, payload, {}))


def _by_id(found: Iterable[Statement]) -> dict[str, Statement]:
    known: dict[str, Statement] = {}
    for each in found:
        assert each.source_id not in known, each.source_id
        known[each.source_id] = each
    return known


@pytest.mark.parametrize("seed", range(12))
def test_webhooks_and_api_state_the_same_shared_facts(seed: int) -> None:
    world = lived(seed, 150)
    by_webhook, by_api = told_by_webhooks(world), told_by_api(world)
    must = {one for one, each in by_webhook.items() if each.source_type in SHARED}
    missing = {one: by_webhook[one].source_type for one in must - set(by_api)}
    assert not missing
    for identity, one in by_api.items():
        if identity not in by_webhook:
            # An edit of what has changed since: known to some milliseconds.
            assert one.source_type in LATEST_BY_API, identity
            near = [
                statement
                for statement in by_webhook.values()
                if statement.source_type == one.source_type
                and statement.subject.key == one.subject.key
                and abs(statement.occurred_at - one.occurred_at) < timedelta(seconds=1)
            ]
            assert len(near) == 1, identity
            continue
        other = by_webhook[identity]
        assert (one.source_type, one.occurred_at) == (other.source_type, other.occurred_at)
        assert one.author == other.author, identity
        assert one.subject.key == other.subject.key
        if not one.source_type.startswith(_BY_NOBODY) or one.actor is not None:
            assert one.actor == other.actor, identity
        if one.source_type.startswith(_FEWER_STATES):
            assert {_state(state) for state in one.states} <= {
                _state(state) for state in other.states
            }
        else:
            assert one.states == other.states, identity


def _state(change: Any) -> tuple[Any, ...]:
    return (change.thing.key, change.state_type, change.value, change.at, change.rank)


def test_every_shared_kind_of_fact_has_been_seen() -> None:
    seen = {
        told_by_webhook.source_type
        for seed in range(12)
        for told_by_webhook in told_by_webhooks(lived(seed, 150)).values()
    }
    assert seen >= SHARED, SHARED - seen


def test_the_history_of_an_issue_gives_its_assignee_and_title_at_each_moment() -> None:
    world = World()
    ada, grace = world.people[:2]
    issue = world.issue(title="Add a cart")
    world.change(issue, grace, assignee=ada)
    world.change(issue, grace, title="Add a basket", state=world.states[3])
    world.change(issue, ada, assignee=None, labels=[world.labels[0]])
    found = told_by_api(world)
    assert {each.source_type: each.metadata["assigneeId"] for each in found.values()} == {
        "issue.created": None,
        "issue.assigned": "user-ada",
        "issue.title-changed": "user-ada",
        "issue.state-changed": "user-ada",
        "issue.unassigned": None,
        "issue.labels-changed": None,
    }
    titles = {each.source_type: each.content.split("\n")[0] for each in found.values()}
    assert titles["issue.created"] == "Add a cart"
    assert [found_state.value for found_state in found_states(found, "assignee")] == [
        "user:linear:user-ada",
        "none",
    ]
    created = next(each for each in found.values() if each.source_type == "issue.created")
    assert created.metadata["labels"] == []
    assert created.metadata["stateType"] == "unstarted"


def found_states(found: dict[str, Statement], kind: str) -> list[Any]:
    states = [state for each in found.values() for state in each.states if state.state_type == kind]
    return sorted(states, key=lambda state: state.at)


def test_an_issue_that_moved_to_another_team_had_another_identifier_before() -> None:
    world = World()
    issue = world.issue()
    world.change(issue, team=world.teams[1])
    world.change(issue, priority=1)
    shown = {
        statement.source_type: statement.metadata["identifier"]
        for statement in told_by_api(world).values()
    }
    assert shown == {
        "issue.created": "ENG-1",
        "issue.team-changed": "OPS-1",
        "issue.priority-changed": "OPS-1",
    }


def test_a_description_is_stated_only_if_it_was_the_same_then() -> None:
    world = World()
    issue = world.issue()
    world.change(issue, priority=1)
    world.change(issue, description="What it says now.")
    found = {statement.source_type: statement.content for statement in told_by_api(world).values()}
    assert "What it says now." in found["issue.description-changed"]
    assert "What it says now." not in found["issue.priority-changed"] + found["issue.created"]


def test_the_first_text_of_an_edited_comment_is_not_invented() -> None:
    world = World()
    comment = world.comment(world.issue(), world.people[1])
    world.edit(comment, world.people[1])
    found = {statement.source_type: statement.content for statement in told_by_api(world).values()}
    assert "It is edited." in found["comment.edited"]
    assert "total" not in found["comment.created"]


def test_every_field_that_a_record_lacks_is_declared() -> None:
    undeclared: set[tuple[str, str]] = set()
    for seed in range(6):
        world = lived(seed, 150)
        told = {
            each.source_id: payload
            for event, payload in webhooks(world)
            for each in _read(event, payload)
        }
        with api_of(API, app(Linear(world)), KEY) as api:
            for walker in API.walkers:
                for record in api.walk(walker, PLACE, EVER).records:
                    name = f"{record.event_type}.{record.payload['action']}"
                    known = {path: "" for path in (*_OF_ANY, *ONLY_BY_WEBHOOK[name]) if path}
                    for each in _read(record.event_type, record.payload):
                        if each.source_id in told and "" not in ONLY_BY_WEBHOOK[name]:
                            lost = untold(told[each.source_id], record.payload, known)
                            undeclared |= {(name, path) for path in lost}
    assert not undeclared, sorted(undeclared)


def test_attachments_and_relations_have_the_same_edges_by_webhook_and_api() -> None:
    world = World()
    first, second = world.issue(), world.issue()
    world.attach(first, world.people[0], "https://github.com/acme/shop/pull/7")
    world.relate(first, second, "blocks")
    by_webhook, by_api = told_by_webhooks(world), told_by_api(world)
    hanging = [
        statement
        for statement in by_webhook.values()
        if statement.source_type.startswith(("att", "issue-"))
    ]
    assert len(hanging) == 2
    for each in hanging:
        assert each.edges
        assert by_api[each.source_id].edges == each.edges
        assert by_api[each.source_id].title == each.title


def test_attachments_that_do_not_fit_beside_their_issue_are_reported() -> None:
    world = World()
    issue = world.issue()
    for number in range(11):
        world.attach(issue, world.people[0], f"https://github.com/acme/shop/pull/{number + 1}")
    walker = next(walker for walker in API.walkers if walker.entity_type == "issue")
    with api_of(API, app(Linear(world)), KEY) as api:
        walked = api.walk(walker, PLACE, EVER)
    assert ["more than 10 attachments" in str(trouble) for trouble in walked.troubles] == [True]
