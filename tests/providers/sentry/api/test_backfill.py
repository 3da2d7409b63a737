"""A backfill of a project's issues, errors and alerts makes the same rows as its webhooks."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest

from lightfast_pipelines.providers.sentry.api import API
from lightfast_pipelines.store.database import Database
from tests.backfill.conftest import PlainApis
from tests.providers.backfilled import (
    by_backfill,
    by_webhook,
    current_states,
    observations,
    outcomes,
)
from tests.providers.sentry.api.walked import BEGIN, WINDOW
from tests.servers.sentry import TOKEN, Activity, Incident, Issue, World, application, webhooks
from tests.servers.serving import serve


def _world() -> World:
    """Of each issue nothing is seen after what was decided of it: so that both tell it alike."""
    world = World(limit=10**6)
    for number in range(1, 31):
        first = BEGIN + timedelta(minutes=number * 13)
        after = first + timedelta(hours=3)
        kinds = [("set_resolved", {}), ("set_ignored", {}), ("note", {"text": f"Seen {number}"})]
        assigned = {"assignee": "8", "assigneeName": "User 8", "assigneeType": "user"}
        kind, data = [*kinds, ("assigned", assigned)][number % 4]
        decided = Activity(number * 10, kind, after, 7, dict(data))
        seen = [first + timedelta(minutes=n) for n in range(number % 5 + 1)]
        world.issues.append(Issue(number, seen, [decided]))
        levels = [("critical", after), ("resolved", after + timedelta(minutes=9, seconds=7))]
        world.incidents.append(Incident(number, first, levels))
    return world


def test_a_backfill_makes_the_memory_that_the_webhooks_made(
    new_database: Callable[[], Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = _world()
    read, told = new_database(), new_database()
    with serve(application(world)) as served:
        apis = PlainApis(read, served.url, API, token=TOKEN)
        result = by_backfill(read, monkeypatch, apis, "42", WINDOW, {})
    assert result.status == "completed"
    assert all(unit.error is None and unit.troubled == 0 for unit in result.units)
    assert abs(result.expected.requests - result.requests) <= result.requests * 0.1
    deliveries = [(event, json.dumps(body).encode(), head) for event, body, head in webhooks(world)]
    # A webhook names an alert's project by its slug alone.
    by_webhook(told, "sentry", ["42", "acme/shop"], deliveries)
    with read.connect("pipeline") as one, told.connect("pipeline") as other:
        assert outcomes(one) == {("delivered", None)}
        assert observations(one) == observations(other)
        assert current_states(one) == current_states(other)
