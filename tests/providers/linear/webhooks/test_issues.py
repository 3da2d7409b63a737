"""What an Issue payload states: created, deleted, and one observation for each changed field."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lightfast_pipelines.domain.events import Filtered, Parked
from tests.providers.linear.payloads import (
    CHANGED_AT,
    CREATED_AT,
    issue,
    issue_data,
    issue_update,
)
from tests.providers.linear.readings import (
    edges,
    read,
    references,
    statement_of,
    statements_of,
    states,
)

ISSUE = "linear:issue:issue-12"
CREATED = datetime(2024, 5, 1, 10, 0, 0, 250_000, tzinfo=UTC)
CHANGED = datetime(2024, 5, 2, 12, 0, 0, 500_000, tzinfo=UTC)


def test_a_created_issue_states_what_it_belongs_to() -> None:
    statement = statement_of(
        issue(
            assignee="Grace",
            project="project-1",
            cycleId="cycle-1",
            cycle={"id": "cycle-1", "number": 3},
            labels=[{"id": "label-1", "name": "Bug"}],
            parentId="issue-1",
            estimate=3.0,
            dueDate="2024-06-01",
        )
    )
    assert statement.source_id == f"{ISSUE}|created"
    assert statement.source_type == "issue.created"
    assert statement.title == "[Issue Created] ENG-12: Add a cart"
    assert statement.occurred_at == statement.updated_at == CREATED
    assert statement.subject.aliases == (
        "linear:ref:ENG-12",
        "linear:ref:acme/ENG-12",
        "linear:ref:branch:ada/eng-12-add-a-cart",
    )
    assert statement.content.splitlines() == [
        "Add a cart",
        "It holds what will be bought.",
        "Team: Engineering",
        "State: Todo",
        "Priority: High",
        "Project: Checkout",
        "Cycle: Cycle 3",
        "Assignee: Grace",
        "Labels: Bug",
        "Estimate: 3 points",
        "Due: 2024-06-01",
    ]
    assert references(statement) == [
        ("issue", "ENG-12", None),
        ("team", "ENG", "Engineering"),
        ("project", "Checkout", None),
        ("cycle", "Cycle 3", None),
        ("assignee", "grace@acme.dev", None),
        ("label", "Bug", None),
        ("branch", "ada/eng-12-add-a-cart", None),
    ]
    assert edges(statement) == {
        (ISSUE, "belongs_to", "linear:project:project-1"),
        (ISSUE, "belongs_to", "linear:cycle:cycle-1"),
        (ISSUE, "parent", "linear:issue:issue-1"),
    }
    assert states(statement) == [
        (ISSUE, "status", "unstarted"),
        (ISSUE, "priority", "high"),
        (ISSUE, "assignee", "user:linear:user-grace"),
        (ISSUE, "cycle", "linear:cycle:cycle-1"),
    ]
    assert {state.reason for state in statement.states} == {"created"}
    assert statement.states[0].metadata["name"] == "Todo"
    for key, value in {
        "identifier": "ENG-12",
        "number": 12,
        "teamKey": "ENG",
        "stateType": "unstarted",
        "priorityLabel": "High",
        "estimate": 3,
        "organizationId": "org-1",
        "webhookId": "hook-1",
        "action": "created",
    }.items():
        assert statement.metadata[key] == value


@pytest.mark.parametrize(
    ("updated_from", "now", "transition", "shown"),
    [
        ({"stateId": "x"}, {"state": "started"}, "state-changed", "(state: In Progress)"),
        ({"priority": 0}, {"priority": 1}, "priority-changed", "(priority: urgent)"),
        ({"assigneeId": None}, {"assignee": "Ada"}, "assigned", "(assignee: Ada)"),
        ({"assigneeId": "user-ada"}, {}, "unassigned", "(assignee)"),
        ({"title": "Cart"}, {}, "title-changed", "(title was: Cart)"),
        ({"description": "Old"}, {}, "description-changed", "(description was"),
        ({"projectId": None}, {"project": "p"}, "project-changed", "(project: Checkout)"),
        ({"projectId": "p"}, {}, "project-changed", "(project: none)"),
        ({"cycleId": None}, {"cycleId": "c"}, "cycle-changed", "(cycle)"),
        ({"parentId": None}, {"parentId": "issue-1"}, "parent-changed", "(parent)"),
        ({"estimate": None}, {"estimate": 5}, "estimate-changed", "(estimate: 5)"),
        ({"dueDate": None}, {"dueDate": "2024-06-01"}, "due-date-changed", "(due date: 2024-06-01)"),
        ({"dueDate": "2024-06-01"}, {}, "due-date-changed", "(due date: none)"),
        ({"teamId": "team-2", "number": 3}, {}, "team-changed", "(team: Engineering)"),
        (
            {"labelIds": []},
            {"labelIds": ["label-1"], "labels": [{"id": "label-1", "name": "Bug"}]},
            "labels-changed",
            "(labels: Bug)",
        ),
        ({"archivedAt": None}, {"archivedAt": CHANGED_AT}, "archived", "(archived)"),
        ({"archivedAt": CREATED_AT}, {}, "unarchived", "(archived)"),
        ({"trashed": True, "archivedAt": CREATED_AT}, {}, "restored", "(trashed)"),
    ],
)  # fmt: skip
def test_each_field_has_its_own_transition(
    updated_from: dict[str, Any], now: dict[str, Any], transition: str, shown: str
) -> None:
    statement = statement_of(issue_update(updated_from, **now))
    assert statement.source_type == f"issue.{transition}"
    assert statement.source_id == f"{ISSUE}|{transition}|2024-05-02T12:00:00.500Z"
    assert statement.occurred_at == CHANGED
    assert statement.title.startswith("[Issue Updated] ENG-12: Add a cart (")
    assert shown in statement.title or transition == "description-changed"
    assert statement.metadata["action"] == "updated"


def test_several_changed_fields_are_several_observations_and_bookkeeping_is_none() -> None:
    statements = statements_of(
        issue_update(
            {"stateId": "x", "priority": 0, "sortOrder": 3, "completedAt": None},
            state="completed",
            completedAt=CHANGED_AT,
        )
    )
    assert [statement.source_type for statement in statements] == [
        "issue.state-changed",
        "issue.priority-changed",
    ]
    assert states(statements[0]) == [(ISSUE, "status", "completed")]
    assert states(statements[1]) == [(ISSUE, "priority", "high")]
    assert statements[0].metadata["updatedFrom"] == {"stateId": "x"}


@pytest.mark.parametrize(
    ("updated_from", "reason"),
    [
        ({}, "no relevant field changed"),
        ({"sortOrder": 9.0}, "no relevant field changed: sortOrder"),
        ({"boardOrder": 1, "subscriberIds": []}, "no relevant field changed: boardOrder"),
        ({"title": "Add a cart"}, "no relevant field changed"),
        ({"labelIds": [], "assigneeId": None, "estimate": None}, "no relevant field"),
    ],
)  # fmt: skip
def test_an_update_without_a_relevant_change_is_filtered_with_the_reason(
    updated_from: dict[str, Any], reason: str
) -> None:
    reading = read(issue_update(updated_from))
    assert isinstance(reading, Filtered)
    assert reading.reason.startswith(reason)


def test_another_order_of_labels_is_not_a_change() -> None:
    payload = issue_update({"labelIds": ["b", "a"]}, labelIds=["a", "b"])
    assert isinstance(read(payload), Filtered)


def test_fields_of_2021_that_were_and_are_null_are_not_changes() -> None:
    nulls = dict.fromkeys(
        ("archivedAt", "description", "estimate", "cycleId", "projectId", "assigneeId", "parentId")
    )
    payload = issue_update(nulls, assignee="Ada", description=None, generation=2021)
    assert [statement.source_type for statement in statements_of(payload)] == ["issue.assigned"]


def test_ten_updates_of_one_field_are_ten_observations_and_repeating_them_adds_none() -> None:
    moments = [
        (datetime(2024, 5, 2, tzinfo=UTC) + timedelta(milliseconds=number)).isoformat()
        for number in range(10)
    ]
    payloads = [
        issue_update({"priority": (each + 1) % 5}, at=at, priority=each % 5)
        for each, at in enumerate(moments)
    ]
    ids = [statement_of(payload).source_id for payload in payloads]
    assert len(set(ids)) == 10
    assert [statement_of(payload).source_id for payload in payloads] == ids


def test_an_update_that_does_not_say_what_changed_is_parked() -> None:
    payload = issue("update")
    assert isinstance(read(payload), Parked)


@pytest.mark.parametrize("state", ["backlog", "unstarted", "started"])
def test_deleting_an_open_issue_cancels_it(state: str) -> None:
    statement = statement_of(issue("remove", state=state))
    assert statement.source_type == "issue.deleted"
    assert statement.title == "[Issue Deleted] ENG-12: Add a cart"
    assert statement.occurred_at == CHANGED
    assert states(statement) == [(ISSUE, "status", "canceled"), (ISSUE, "existence", "deleted")]
    assert statement.states[0].reason == "deleted"


@pytest.mark.parametrize("state", ["completed", "canceled"])
def test_deleting_a_finished_issue_keeps_its_status(state: str) -> None:
    statement = statement_of(issue("remove", state=state))
    assert states(statement) == [(ISSUE, "existence", "deleted")]


def test_a_removal_and_the_update_that_trashes_state_the_same_fact() -> None:
    removed = statement_of(issue("remove"))
    trashed = statement_of(
        issue_update({"trashed": None, "archivedAt": None}, trashed=True, archivedAt=CHANGED_AT)
    )
    assert trashed.source_id == removed.source_id
    assert trashed.title == removed.title
    assert states(trashed) == states(removed)


def test_a_removal_is_dated_by_the_entity_itself() -> None:
    late = issue("remove") | {"createdAt": "2024-05-02T12:00:07.000Z"}
    assert statement_of(late).occurred_at == CHANGED
    assert statement_of(late).source_id == statement_of(issue("remove")).source_id


def test_deleted_restored_and_deleted_again_are_three_facts() -> None:
    first = statement_of(issue("remove", at="2024-05-03T00:00:00.000Z"))
    back = statement_of(
        issue_update({"trashed": True, "archivedAt": "x"}, at="2024-05-04T00:00:00.000Z")
    )
    second = statement_of(issue("remove", at="2024-05-05T00:00:00.000Z"))
    assert len({stated.source_id for stated in (first, back, second)}) == 3
    assert states(back) == [(ISSUE, "status", "unstarted"), (ISSUE, "existence", "exists")]


def test_an_issue_that_moves_to_another_team_keeps_its_key_and_its_old_names() -> None:
    moved = statement_of(
        issue_update(
            {"teamId": "team-1", "identifier": "ENG-12", "number": 12},
            teamId="team-2",
            team={"id": "team-2", "key": "OPS", "name": "Operations"},
            identifier="OPS-3",
            previousIdentifiers=["ENG-12"],
        )
    )
    assert moved.subject.key == ISSUE
    assert {"linear:ref:OPS-3", "linear:ref:acme/OPS-3"} < set(moved.subject.aliases)
    assert {"linear:ref:ENG-12", "linear:ref:acme/ENG-12"} < set(moved.subject.aliases)


def test_a_renamed_team_changes_no_id() -> None:
    renamed = {"id": "team-1", "key": "CORE", "name": "Core"}
    before, after = statement_of(issue()), statement_of(issue(team=renamed, identifier="CORE-12"))
    assert before.source_id == after.source_id
    assert before.subject.key == after.subject.key


@pytest.mark.parametrize("fact", ["created", "deleted", "title", "state", "assignee"])
def test_payloads_of_three_generations_state_the_same_fact(fact: str) -> None:
    def payload(generation: int) -> dict[str, Any]:
        if fact in ("created", "deleted"):
            return issue({"created": "create"}.get(fact, "remove"), generation=generation)
        updated_from = {"title": "Cart"} if fact == "title" else {f"{fact}Id": None}
        return issue_update(updated_from, assignee="Ada", generation=generation)

    facts = [statement_of(payload(generation)) for generation in (2021, 2023, 2026)]
    assert len({stated.source_id for stated in facts}) == 1
    assert len({stated.source_type for stated in facts}) == 1
    assert len({stated.occurred_at for stated in facts}) == 1
    assert len({stated.title for stated in facts}) == 1
    assert len({tuple(states(stated)) for stated in facts}) == 1
    assert {"linear:ref:ENG-12"} == {stated.subject.aliases[0] for stated in facts}


def test_triage_counts_as_backlog() -> None:
    state = {"id": "s", "name": "Triage", "type": "triage"}
    statement = statement_of(
        issue(stateId="s", state="backlog") | {"data": issue_data() | {"state": state}}
    )
    assert states(statement)[0] == (ISSUE, "status", "backlog")
    assert statement.states[0].metadata == {"name": "Triage", "type": "triage", "id": "s"}


def test_an_unknown_type_of_workflow_state_changes_no_status() -> None:
    state = {"id": "s", "name": "Odd", "type": "odd"}
    statement = statement_of(issue() | {"data": issue_data() | {"state": state}})
    assert [state[1] for state in states(statement)] == ["priority"]


def test_clearing_assignee_and_cycle_sets_them_to_none() -> None:
    statements = statements_of(issue_update({"assigneeId": "user-ada", "cycleId": "cycle-1"}))
    assert [states(statement) for statement in statements] == [
        [(ISSUE, "assignee", "none")],
        [(ISSUE, "cycle", "none")],
    ]


def test_attachments_of_an_issue_relate_it_to_pull_request_and_sentry_issue() -> None:
    statement = statement_of(
        issue(
            attachments=[
                {"url": "https://github.com/Acme/Shop/pull/7", "sourceType": "githubPr"},
                {"url": "https://acme.sentry.io/issues/991/", "metadata": {"shortId": "SHOP-1A"}},
                {"url": "https://github.com/acme/shop/issues/3"},
                {"url": f"https://github.com/acme/shop/commit/{'a' * 40}"},
                {"url": "https://example.com/github.com/acme/shop/pull/9"},
                {"url": "https://gitlab.com/acme/shop/pull/8"},
                {"url": "https://github.com/acme/shop/pull/seven"},
                {"url": "javascript:alert(1)"},
            ]
        )
    )
    assert edges(statement) == {
        (ISSUE, "tracked_in", "github:ref:acme/shop#7"),
        (ISSUE, "references", "sentry:ref:sentry.io/issue:991"),
        (ISSUE, "references", "github:ref:acme/shop#3"),
        (ISSUE, "references", f"github:commit:{'a' * 40}"),
    }
    sentry = next(e.object for e in statement.edges if e.object.key.startswith("sentry:"))
    assert sentry.aliases == ("sentry:ref:991:merged",)
    assert ("pr", "#7", "tracked_in") in references(statement)
    assert ("issue", "SHOP-1A", "linked") in references(statement)


def test_relations_start_from_the_blocking_issue_and_from_the_duplicate() -> None:
    statement = statement_of(
        issue(
            relations=[
                {"type": "blocks", "relatedIssue": {"id": "issue-2", "identifier": "ENG-2"}},
                {"type": "duplicate", "relatedIssueId": "issue-3"},
                {"type": "related", "relatedIssueId": "issue-4"},
                {"type": "blocks", "relatedIssueId": "issue-12"},
            ],
            inverseRelations=[{"type": "blocks", "issue": {"id": "issue-5"}}],
        )
    )
    assert edges(statement) == {
        (ISSUE, "blocks", "linear:issue:issue-2"),
        (ISSUE, "duplicates", "linear:issue:issue-3"),
        (ISSUE, "references", "linear:issue:issue-4"),
        ("linear:issue:issue-5", "blocks", ISSUE),
    }
