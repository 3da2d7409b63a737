"""Walks of Sentry's issues, errors and alerts over small organizations, for the tests here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from lightfast_pipelines.domain.events import Statement
from lightfast_pipelines.providers.api_contract import Credential, LinkedResource, Window
from lightfast_pipelines.providers.sentry import PROVIDER
from lightfast_pipelines.providers.sentry.api import API
from tests.providers.agreement import api_of, statements
from tests.servers.sentry import (
    TOKEN,
    UUID,
    Activity,
    Incident,
    Issue,
    World,
    application,
    webhooks,
)
from tests.servers.walking import Walk

WALKERS = {walker.entity_type: walker for walker in API.walkers}
PLACE = LinkedResource("sentry", "42", "shop", meta={"organization": "acme"}, installation_id=UUID)
CREDENTIAL = Credential("token", TOKEN)
BEGIN = datetime(2024, 5, 1, 10, tzinfo=UTC)
WINDOW = Window(BEGIN - timedelta(days=2), BEGIN + timedelta(days=20))
SHA = "ab" * 20
ACTIVITIES: list[tuple[str, dict[str, Any]]] = [
    ("set_resolved", {}),
    ("set_resolved_in_release", {"version": "shop@1.5.0"}),
    (
        "set_resolved_in_commit",
        {"commit": {"id": SHA, "message": "Guard it", "repository": {"name": "acme/shop"}}},
    ),
    ("set_resolved_by_age", {"age": 168}),
    ("set_unresolved", {}),
    ("set_ignored", {"ignoreUntilEscalating": True}),
    ("assigned", {"assignee": "7", "assigneeName": "User 7", "assigneeType": "user"}),
    ("assigned", {"assignee": "3", "assigneeName": "web", "assigneeType": "team"}),
    ("note", {"text": "Seen it before"}),
    ("set_priority", {"priority": "high"}),
]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Some issues of minute first sight, seen again before and after what was decided of them."""
    world = World()
    minutes = st.integers(0, 20_000)
    for number in range(1, draw(st.integers(0, 5)) + 1):
        first = BEGIN + timedelta(minutes=draw(st.sampled_from([0, 0, 7, 3_000])))
        later = draw(st.lists(st.integers(1, 9_000), max_size=3, unique=True))
        issue = Issue(
            number, [first, *(first + timedelta(minutes=minute) for minute in sorted(later))]
        )
        issue.release = draw(st.sampled_from(["shop@1.4.2", None]))
        for position, minute in enumerate(sorted(draw(st.lists(minutes, max_size=4, unique=True)))):
            kind, data = draw(st.sampled_from(ACTIVITIES))
            at = first + timedelta(minutes=minute, seconds=30, milliseconds=250)
            by = (
                draw(st.sampled_from([7, 8]))
                if kind == "note"
                else draw(st.sampled_from([7, None]))
            )
            issue.activities.append(Activity(number * 100 + position, kind, at, by, data))
        if len(issue.seen) > 1 and draw(st.booleans()):
            issue.activities.append(
                Activity(number * 100 + 90, "set_regression", issue.seen[-1], None)
            )
        world.issues.append(issue)
    for number in range(1, draw(st.integers(0, 4)) + 1):
        begun = BEGIN + timedelta(minutes=draw(minutes))
        levels = draw(st.lists(st.sampled_from(["warning", "critical"]), max_size=3))
        times = [(level, begun + timedelta(minutes=n, seconds=5)) for n, level in enumerate(levels)]
        if draw(st.booleans()):
            times.append(("resolved", begun + timedelta(minutes=30, seconds=17)))
        world.incidents.append(Incident(number, begun, times))
    return world


def walked(world: World, kind: str, place: LinkedResource = PLACE, **how: Any) -> Walk:
    world.limit = 10**6
    with api_of(API, application(world), CREDENTIAL) as api:
        return api.walk(WALKERS[kind], place, WINDOW, **how)


def all_statements(world: World) -> list[Statement]:
    world.limit = 10**6
    collected: list[Statement] = []
    with api_of(API, application(world), CREDENTIAL) as api:
        for walker in API.walkers:
            walked = api.walk(walker, PLACE, WINDOW)
            assert not walked.troubles
            for record in walked.records:
                stated = statements(PROVIDER, record.event_type, record.payload, record.headers)
                assert stated[0].occurred_at == record.occurred_at
                collected += stated
    return collected


def webhook_statements(world: World, delay: float = 0.0) -> list[Statement]:
    deliveries = webhooks(world, delay)
    return [statement for delivery in deliveries for statement in statements(PROVIDER, *delivery)]
