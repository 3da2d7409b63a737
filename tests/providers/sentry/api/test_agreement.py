"""What Sentry states both by webhook and by API agrees."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightfast_pipelines.domain.events import Statement
from lightfast_pipelines.providers.sentry import PROVIDER
from lightfast_pipelines.providers.sentry.api.shared_facts import (
    DATED_BY_SENDING,
    ONLY_BY_API,
    ONLY_BY_WEBHOOK,
    SHARED,
)
from tests.depth import examples
from tests.providers.agreement import statements, untold
from tests.providers.sentry.api.walked import (
    ACTIVITIES,
    BEGIN,
    WALKERS,
    all_statements,
    walked,
    webhook_statements,
    worlds,
)
from tests.servers.sentry import Activity, Incident, Issue, World, webhooks


def _who(statement: Statement) -> tuple[Any, ...]:
    accounts = (statement.actor, statement.author)
    return tuple((account.source, account.source_id) if account else None for account in accounts)


def _states(statement: Statement) -> frozenset[Any]:
    return frozenset(
        (state.thing.key, state.state_type, state.value, state.at) for state in statement.states
    )


def _fact(statement: Statement) -> tuple[Any, ...]:
    event = statement.occurrence.event_id if statement.occurrence else None
    return (
        statement.source_id,
        statement.source_type,
        statement.occurred_at,
        _who(statement),
        _states(statement),
        event,
    )


def _facts(stated: Iterable[Statement], kinds: frozenset[str]) -> set[tuple[Any, ...]]:
    return {_fact(statement) for statement in stated if statement.source_type in kinds}


def _decided(stated: Iterable[Statement]) -> list[tuple[Any, ...]]:
    """Decisions to the second, without their ids: several may be equal."""
    return sorted(
        (
            statement.source_type,
            statement.subject.key,
            statement.occurred_at.replace(microsecond=0),
            _who(statement),
        )
        for statement in stated
        if statement.source_type in DATED_BY_SENDING
    )


@examples(25)
@given(worlds(), st.sampled_from([0.0, 3.0]))
def test_webhooks_and_walks_state_the_same_facts(world: World, delay: float) -> None:
    by_api, by_webhook = all_statements(world), webhook_statements(world, delay)
    assert _facts(by_api, SHARED) == _facts(by_webhook, SHARED)
    assert {statement.source_type for statement in by_api} <= SHARED | DATED_BY_SENDING | set(
        ONLY_BY_API
    )


@examples(25)
@given(worlds())
def test_facts_dated_by_sending_agree_if_the_webhook_is_sent_at_once(world: World) -> None:
    by_api, by_webhook = all_statements(world), webhook_statements(world)
    assert _decided(by_api) == _decided(by_webhook)
    last = {f"sentry:issue:42:{issue.number}": issue.last_seen() for issue in world.issues}
    silent = [
        [
            statement
            for statement in stated
            if statement.occurred_at >= last.get(statement.subject.key, BEGIN)
            or "metric" in statement.source_type
        ]
        for stated in (by_api, by_webhook)
    ]
    assert _facts(silent[0], DATED_BY_SENDING) == _facts(silent[1], DATED_BY_SENDING)


def test_every_field_that_only_webhooks_have_is_listed() -> None:
    world = World(limit=10**6)
    for number, (kind, data) in enumerate([*ACTIVITIES, ("set_regression", {})], start=1):
        issue = Issue(number, [BEGIN], [Activity(number * 10, kind, BEGIN, 7, data)])
        world.issues.append(issue)
    levels = [("warning", BEGIN), ("critical", BEGIN), ("resolved", BEGIN + timedelta(minutes=2))]
    world.incidents.append(Incident(1, BEGIN, levels))
    by_api = {}
    for kind in WALKERS:
        for record in walked(world, kind).records:
            (statement,) = statements(PROVIDER, record.event_type, record.payload, record.headers)
            by_api[statement.source_id, record.payload["action"], str(statement.occurrence)] = (
                record
            )
    for event, payload, headers in webhooks(world):
        (statement,) = statements(PROVIDER, event, payload, headers)
        record = by_api[statement.source_id, payload["action"], str(statement.occurrence)]
        known = ONLY_BY_WEBHOOK.get(f"{event}.{payload['action']}", {})
        assert not untold(payload, record.payload, known), (event, payload["action"])


@pytest.mark.parametrize(
    ("category", "title", "value"),
    [
        ("cron", "Cron failure: nightly", "A missed check-in was detected"),
        ("db_query", "N+1 Query", "SELECT 1"),
        ("feedback", "User Feedback", "Too small, says eve@else.dev"),
    ],
)
def test_issues_that_are_no_errors_have_the_same_title_by_webhook_and_api(
    category: str, title: str, value: str
) -> None:
    metadata = {"title": title, "value": value, "contact_email": "eve@else.dev", "name": "Eve"}
    called = {"title": title, "metadata": metadata, "issueType": f"a_{category}", "type": "generic"}
    issue = Issue(1, [BEGIN], category=category, called=called, release=None)
    by_api, by_webhook = all_statements(World([issue])), webhook_statements(World([issue]))
    assert [statement.title for statement in by_api] == [
        statement.title for statement in by_webhook
    ]
    assert by_api[0].title.startswith(f"[Issue Created] {title}: {value[:9]}")
    assert by_api[0].subject == by_webhook[0].subject
    for statement in (*by_api, *by_webhook):
        assert "else.dev" not in repr(statement)
        assert "Eve" not in repr(statement)
