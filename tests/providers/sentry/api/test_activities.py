"""What the activity of an issue and the levels of an incident state."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import Statement
from lightfast_pipelines.providers.api_contract import Answer
from lightfast_pipelines.providers.sentry import PROVIDER
from lightfast_pipelines.providers.sentry.api.activities import NOT_KEPT
from tests.providers.agreement import statements
from tests.providers.sentry.api.walked import (
    BEGIN,
    PLACE,
    SHA,
    WALKERS,
    WINDOW,
    all_statements,
    walked,
)
from tests.servers.sentry import Activity, Issue, World

COMMIT = {"id": SHA, "message": "Guard it", "repository": {"name": "acme/shop"}}
PULL = {"id": "5", "title": "Guard", "externalUrl": "https://github.com/acme/shop/pull/5"}


def _statement_of(kind: str, data: dict[str, Any]) -> Statement:
    """The statement of an activity of issue 1."""
    activity = Activity(11, kind, BEGIN + timedelta(hours=1), 7, data)
    (statement,) = [
        statement
        for statement in all_statements(World([Issue(1, [BEGIN], [activity], release=None)]))
        if statement.source_type not in ("issue.created", "error.occurred")
    ]
    return statement


@pytest.mark.parametrize(
    ("kind", "data", "action", "origin", "status"),
    [
        ("set_resolved_in_release", {"version": "1.5", "commit": COMMIT}, "resolved", "commit", 1),
        ("set_resolved_in_commit", {"commit": COMMIT}, "resolved", "commit", 1),
        ("referenced_in_commit", {"commit": COMMIT}, "linked", "commit", 0),
        ("set_resolved_in_pull_request", {"pullRequest": PULL}, "linked", "pull", 0),
        (
            "seer_pr_created",
            {"pull_requests": [{"pull_request": {"pr_url": PULL["externalUrl"]}}]},
            "linked",
            "pull",
            0,
        ),
    ],
)
def test_a_fix_resolves_an_issue_and_a_proposed_fix_leaves_it_open(
    kind: str, data: dict[str, Any], action: str, origin: str, status: int
) -> None:
    statement = _statement_of(kind, data)
    assert statement.source_type == f"issue.{action}"
    key = {"commit": f"github:commit:{SHA}", "pull": "github:ref:acme/shop#5"}[origin]
    assert (key, "resolves", "sentry:issue:42:1") in {
        (edge.subject.key, edge.type, edge.object.key) for edge in statement.edges
    }
    assert len(statement.states) == status


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("https://github.com/acme/shop/issues/7", "github:ref:acme/shop#7"),
        ("https://linear.app/acme/issue/ENG-12/guard-it", "linear:ref:"),
    ],
)
def test_an_issue_of_another_tracker_references_the_issue(address: str, key: str) -> None:
    (edge,) = [
        edge
        for edge in _statement_of("create_issue", {"location": address, "label": "ENG-12"}).edges
        if edge.type == "references"
    ]
    assert edge.subject.key.startswith(key)
    assert edge.object.key == "sentry:issue:42:1"


def test_a_priority_is_a_state_since_it_was_set() -> None:
    (state,) = _statement_of("set_priority", {"priority": "high", "reason": "escalating"}).states
    assert (state.state_type, state.value, state.at) == (
        "priority",
        "high",
        BEGIN + timedelta(hours=1),
    )


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("merge", {"issues": [{"id": 900}]}),
        ("reprocess", {"oldGroupId": 900, "newGroupId": 1, "eventCount": 3}),
    ],
)
def test_a_merged_or_reprocessed_issue_duplicates_its_survivor(
    kind: str, data: dict[str, Any]
) -> None:
    statement = _statement_of(kind, data)
    assert statement.subject.key == "sentry:issue:42:900"
    assert [(state.state_type, state.value) for state in statement.states] == [("status", "merged")]
    (survivor,) = [edge.object for edge in statement.edges if edge.type == "duplicates"]
    assert survivor.key == "sentry:issue:42:1"
    assert keys.sentry_merged_issue(900) in survivor.aliases


def test_an_archived_issue_keeps_its_conditions() -> None:
    activity = Activity(
        11, "set_ignored", BEGIN + timedelta(hours=1), 7, {"ignoreUntil": "2024-06-01T00:00:00Z"}
    )
    states = [
        state
        for statement in all_statements(World([Issue(1, [BEGIN], [activity])]))
        for state in statement.states
    ]
    state = next(state for state in states if state.value == "archived")
    assert state.metadata == {
        "substatus": "archived_until_condition_met",
        "ignoreUntil": "2024-06-01T00:00:00Z",
    }


def test_only_the_api_says_that_an_issue_became_unassigned() -> None:
    issue = Issue(1, [BEGIN], [Activity(11, "unassigned", BEGIN + timedelta(hours=1))])
    (statement,) = [
        statement
        for statement in all_statements(World([issue]))
        if statement.source_type == "issue.assigned"
    ]
    assert [(state.state_type, state.value) for state in statement.states] == [
        ("assignee", "nobody")
    ]


def test_every_known_kind_of_activity_is_handled_and_a_new_one_is_reported() -> None:
    at = BEGIN + timedelta(hours=1)
    activities = [Activity(n, kind, at) for n, kind in enumerate([*NOT_KEPT, "a_new_one"], 11)]
    walk = walked(World([Issue(1, [BEGIN], activities)]), "issue")
    assert [trouble.item for trouble in walk.troubles] == ["a_new_one of issue 1"]


def test_an_end_without_an_activity_follows_the_last_level() -> None:
    incident = {
        "id": "1",
        "dateDetected": "2024-05-01T10:00:00Z",
        "dateClosed": "2024-05-01T10:00:00Z",
        "alertRule": {"id": "70", "name": "Failed payments"},
        "organizationId": "5",
        "activities": [
            {"id": "2", "type": 2, "value": "20", "dateCreated": "2024-05-01T10:00:05.5Z"}
        ],
    }
    cursor = {"organization": "acme", "offset": 0}
    page = WALKERS["metric_alert"].read(PLACE, WINDOW, cursor, Answer(200, {}, [incident]))
    critical, resolved = page.records
    assert resolved.payload["action"] == "resolved"
    assert critical.occurred_at == resolved.occurred_at  # and `resolved` ranks last
    (statement,) = statements(PROVIDER, "metric_alert", resolved.payload, resolved.headers)
    assert statement.occurred_at == resolved.occurred_at
