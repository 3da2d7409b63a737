"""Milestones, sub-issues, dependencies, project boards, types and fields of issues, the merge queue."""

from __future__ import annotations

from typing import Any

import pytest

from lightfast_pipelines.domain.events import ENDING_REASON, Filtered, Parked, Statement
from tests.providers.github import planning_payloads as planning
from tests.providers.github.payloads import CHANGED_AT, issue, pull_request, repository, sha
from tests.providers.github.readings import edges, mentioned, read, statement

CHILD, PARENT = "github:issue:1#5", "github:issue:1#4"
MILESTONE, PR = "github:milestone:1#3", "github:pr:1#12"


def states(found: Statement) -> list[tuple[str, str, str, str | None]]:
    return [
        (state.thing.key, state.state_type, state.value, state.reason) for state in found.states
    ]


@pytest.mark.parametrize(
    ("action", "source_type", "title", "values"),
    [
        ("created", "milestone.created", "[Milestone Created] Spring", ["open"]),
        ("opened", "milestone.reopened", "[Milestone Reopened] Spring", ["open"]),
        ("closed", "milestone.closed", "[Milestone Closed] Spring", ["closed"]),
        ("edited", "milestone.edited", "[Milestone Edited] Spring", []),
        ("deleted", "milestone.deleted", "[Milestone Deleted] Spring", ["closed", "deleted"]),
    ],
)
def test_a_milestone_opens_and_closes(
    action: str, source_type: str, title: str, values: list[str]
) -> None:
    result = statement("milestone", planning.milestone(action))
    assert (result.source_type, result.title, result.subject.key) == (source_type, title, MILESTONE)
    assert [state.value for state in result.states] == values
    assert result.metadata["dueOn"] == "2024-06-01T00:00:00Z"


def test_both_deliveries_of_a_sub_issue_are_one_observation() -> None:
    of_parent = statement("sub_issues", planning.sub_issue("sub_issue_added"))
    of_child = statement("sub_issues", planning.sub_issue("parent_issue_added"))
    assert of_parent.source_id == of_child.source_id
    assert edges(of_parent) == edges(of_child) == {(CHILD, "parent", PARENT)}
    assert of_parent.title == "[Issue Parent Added] Issue 5"
    assert states(of_child) == [(CHILD, "parent", PARENT, "parent-added")]


def test_an_issue_that_is_removed_from_its_parent_has_none() -> None:
    result = statement("sub_issues", planning.sub_issue("parent_issue_removed"))
    assert result.source_type == "issue.parent-removed"
    assert edges(result) == set()
    assert states(result) == [(CHILD, "parent", PARENT, ENDING_REASON)]


def test_a_parent_in_another_repository_is_named_by_that_one() -> None:
    payload = planning.sub_issue("parent_issue_added")
    payload["parent_issue_repo"] = repository("acme/plans", 7)
    result = statement("sub_issues", payload)
    assert edges(result) == {(CHILD, "parent", "github:issue:7#4")}
    assert result.references[1].id == "acme/plans#4"


def test_both_deliveries_of_a_dependency_are_one_observation() -> None:
    one, other = (
        statement("issue_dependencies", planning.dependency(action))
        for action in ("blocked_by_added", "blocking_added")
    )
    assert one.source_id == other.source_id
    assert edges(one) == edges(other) == {(PARENT, "blocks", CHILD)}
    assert states(one) == [(CHILD, f"blocked_by:{PARENT}", PARENT, "blocked-by-added")]
    gone = statement("issue_dependencies", planning.dependency("blocking_removed"))
    assert (gone.source_type, edges(gone)) == ("issue.blocked-by-removed", set())


@pytest.mark.parametrize("side", ["sub_issue", "parent_issue"])
def test_half_a_link_is_parked(side: str) -> None:
    assert isinstance(read("sub_issues", {**planning.sub_issue(), side: None}), Parked)


def test_a_project_item_belongs_to_its_board_and_has_its_fields() -> None:
    payload = planning.project_item("edited", changes=planning.status_field("In Progress"))
    result = statement("projects_v2_item", payload)
    item = "github:project-item:81"
    assert edges(result) == {(item, "belongs_to", "github:project:PVT_b")}
    assert states(result) == [(item, "field:Status", "In Progress", "edited")]
    assert result.title == "[Project Item Edited] Status: In Progress"
    archived = statement("projects_v2_item", planning.project_item("archived"))
    assert states(archived) == [(item, "status", "archived", "archived")]
    assert isinstance(read("projects_v2_item", planning.project_item("reordered")), Filtered)


def test_an_issue_has_one_type_at_a_time() -> None:
    typed = {**issue("typed"), "type": {"id": 1, "name": "Bug"}}
    result = statement("issues", typed)
    assert (result.source_type, result.content) == ("issue.typed", "Type: Bug")
    assert states(result) == [(CHILD, "type", "Bug", "typed")]
    untyped = statement("issues", {**typed, "action": "untyped"})
    assert states(untyped) == [(CHILD, "type", "Bug", ENDING_REASON)]
    assert isinstance(read("issues", issue("typed")), Filtered)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"value": 1, "single_select_option": {"name": "High"}}, "High"),
        ({"value": "2024-06-01"}, "2024-06-01"),
        ({"value": 3}, "3"),
        ({"value": "A,B", "multi_select_options": [{"name": "A"}, {"name": "B"}]}, "A, B"),
    ],
)
def test_an_issues_field_is_a_state(value: dict[str, Any], shown: str) -> None:
    field = {"issue_field": {"id": 2, "name": "Priority"}, "issue_field_value": value}
    result = statement("issues", {**issue("field_added"), **field})
    assert (result.source_type, result.content) == ("issue.field-set", f"Priority: {shown}")
    assert states(result) == [(CHILD, "field:Priority", shown, "field_added")]
    gone = statement("issues", {**issue("field_removed"), **field})
    assert states(gone) == [(CHILD, "field:Priority", "none", "field_removed")]


@pytest.mark.parametrize(
    ("action", "reason", "source_type", "value"),
    [
        ("checks_requested", None, "merge-group.checks-requested", "queued"),
        ("destroyed", "merged", "merge-group.merged", "merged"),
        ("destroyed", "dequeued", "merge-group.dequeued", "dequeued"),
        ("destroyed", "invalidated", "merge-group.invalidated", None),
    ],
)
def test_the_subject_of_a_merge_group_is_its_pull_request(
    action: str, reason: str | None, source_type: str, value: str | None
) -> None:
    result = statement("merge_group", planning.merge_group(action, reason))
    assert (result.source_type, result.subject.key, result.branch) == (source_type, PR, "main")
    assert [state[1:3] for state in states(result)] == ([("merge_queue", value)] if value else [])
    assert result.source_id == f"{PR}|{source_type}|{sha('group')}"
    ends = result.occurred_at.isoformat().replace("+00:00", "Z") == CHANGED_AT
    assert ends is (action == "destroyed")


def test_a_merge_group_without_a_pull_request_is_parked() -> None:
    payload = planning.merge_group()
    payload["merge_group"]["head_ref"] = "refs/heads/main"
    assert isinstance(read("merge_group", payload), Parked)
    assert isinstance(read("merge_group", planning.merge_group("destroyed", "lost")), Parked)


@pytest.mark.parametrize(
    ("action", "reason", "value", "words"),
    [
        ("enqueued", None, "queued", "Put into the merge queue"),
        ("dequeued", "CI_FAILURE", "dequeued", "Left the merge queue: ci failure"),
        ("dequeued", "MERGE", "merged", "Left the merge queue: merged"),
    ],
)
def test_a_pull_request_is_queued_and_leaves_the_queue(
    action: str, reason: str | None, value: str, words: str
) -> None:
    result = statement("pull_request", {**pull_request(action), "reason": reason})
    assert (result.source_type, result.content) == (f"pull-request.{action}", words)
    assert [state[1:3] for state in states(result)] == [("merge_queue", value)]


def test_a_review_thread_is_resolved_and_reopened() -> None:
    result = statement("pull_request_review_thread", planning.review_thread())
    assert result.title == "[Review Thread Resolved] #1: Rename this."
    thread = "github:review-thread:1:71"
    assert states(result) == [(thread, "status", "resolved", "resolved")]
    assert thread in mentioned(result, "reference")
    again = statement("pull_request_review_thread", planning.review_thread("unresolved"))
    assert again.title == "[Review Thread Reopened] #1: Rename this."
    empty = planning.review_thread(thread={"comments": []})
    assert isinstance(read("pull_request_review_thread", empty), Parked)


@pytest.mark.parametrize(
    ("action", "value"),
    [("requested", "waiting"), ("approved", "approved"), ("rejected", "rejected")],
)
def test_a_run_waits_for_the_review_of_its_deployment(action: str, value: str) -> None:
    result = statement("deployment_review", planning.deployment_review(action))
    assert result.source_type == f"deployment-review.{action}"
    run = "github:workflow-run:30"
    assert [state[:3] for state in states(result)] == [(run, "deployment_review:production", value)]
    assert (run, "references", f"github:commit:{sha('c')}") in edges(result)
    assert result.actor is not None
    assert result.actor.username == ("ada" if action == "requested" else "lin")


def test_a_deployment_waits_for_a_protection_rule() -> None:
    result = statement("deployment_protection_rule", planning.protection_rule())
    assert result.title == "[Deployment Waiting for a Rule] acme/shop to production"
    assert [state[1:3] for state in states(result)] == [("status", "waiting")]
    assert "callback" not in repr(result)
    nothing = planning.protection_rule(deployment=None)
    assert isinstance(read("deployment_protection_rule", nothing), Parked)
