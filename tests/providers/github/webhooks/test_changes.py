"""Small changes of issues, pull requests and discussions."""

from __future__ import annotations

from typing import Any

import pytest

from lightfast_pipelines.domain.enrichment import enrich
from lightfast_pipelines.domain.events import Filtered, Statement
from tests.providers.github.more_payloads import LABEL, MILESTONE
from tests.providers.github.payloads import CHANGED_AT, discussion, issue, pull_request, sha, user
from tests.providers.github.readings import accounts, edges, mentioned, read, statement

PULL, ISSUE = "github:pr:1#1", "github:issue:1#5"


def changed(payload: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**payload, **more}


def states(found: Statement) -> dict[str, str]:
    return {state.state_type: state.value for state in found.states}


@pytest.mark.parametrize(
    ("event", "payload", "source_type", "which"),
    [
        ("issues", changed(issue("labeled"), label=LABEL), "issue.labeled", "bug"),
        ("issues", changed(issue("unlabeled"), label=LABEL), "issue.unlabeled", "bug"),
        (
            "pull_request",
            changed(pull_request("labeled"), label=LABEL),
            "pull-request.labeled",
            "bug",
        ),
        ("discussion", changed(discussion("labeled"), label=LABEL), "discussion.labeled", "bug"),
        ("issues", changed(issue("milestoned"), milestone=MILESTONE), "issue.milestoned", "3"),
        (
            "pull_request",
            changed(pull_request("synchronize"), before=sha(1), after=sha(2)),
            "pull-request.synchronized",
            sha(2),
        ),
        (
            "pull_request",
            changed(pull_request("review_requested"), requested_team={"slug": "core"}),
            "pull-request.review-requested",
            "team:core",
        ),
    ],
)
def test_a_change_is_identified_by_what_changed_and_when(
    event: str, payload: dict[str, Any], source_type: str, which: str
) -> None:
    result = statement(event, payload)
    assert result.source_type == source_type
    transition = source_type.partition(".")[2]
    assert result.source_id == f"{result.subject.key}|{transition}|{which}@{CHANGED_AT}"
    assert enrich(result).significance_score < 30


def test_two_labels_at_one_moment_are_two_changes() -> None:
    both = [
        statement("issues", changed(issue("labeled"), label={"name": name})).source_id
        for name in ("bug", "cart")
    ]
    assert len(set(both)) == 2


def test_the_state_of_assignees_lists_everybody_who_is_assigned_now() -> None:
    ada, lin = user("ada"), user("lin")
    result = statement("issues", changed(issue("assigned", assignees=("ada", "lin")), assignee=lin))
    assert states(result) == {
        "assignee": ", ".join(sorted(f"user:github:{person['id']}" for person in (ada, lin)))
    }
    assert accounts(result, "assignee") == ["lin"]
    freed = statement("issues", changed(issue("unassigned"), assignee=lin))
    assert states(freed) == {"assignee": "nobody"}


def test_a_milestone_is_a_state_and_what_the_item_belongs_to() -> None:
    result = statement("pull_request", changed(pull_request("milestoned"), milestone=MILESTONE))
    assert (PULL, "belongs_to", "github:milestone:1#3") in edges(result)
    assert states(result) == {"milestone": "github:milestone:1#3"}
    payload = changed(pull_request("demilestoned"), milestone=MILESTONE)
    payload["pull_request"]["milestone"] = MILESTONE
    left = statement("pull_request", payload)
    assert "belongs_to" not in {relation for _, relation, _ in edges(left)}
    assert states(left) == {"milestone": "none"}


def test_a_small_change_still_relates_the_milestone_and_head() -> None:
    payload = changed(pull_request("labeled"), label=LABEL)
    payload["pull_request"]["milestone"] = MILESTONE
    assert edges(statement("pull_request", payload)) == {
        (PULL, "belongs_to", "github:milestone:1#3"),
        (PULL, "on_branch", "github:branch:1:feature/cart"),
        (PULL, "contains", f"github:commit:{sha('acme/shop#1 head')}"),
    }
    payload = changed(issue("labeled"), label=LABEL)
    payload["issue"]["milestone"] = MILESTONE
    assert edges(statement("issues", payload)) == {
        ("github:issue:1#5", "belongs_to", "github:milestone:1#3")
    }


def test_a_requested_reviewer_takes_part() -> None:
    payload = changed(pull_request("review_requested"), requested_reviewer=user("lin"))
    result = statement("pull_request", payload)
    assert accounts(result, "reviewer") == ["lin"]
    assert accounts(result, "subject_author") == ["ada"]


def test_a_new_head_commit_is_contained() -> None:
    payload = changed(pull_request("synchronize", head_sha=sha(2)), before=sha(1), after=sha(2))
    result = statement("pull_request", payload)
    assert (PULL, "contains", f"github:commit:{sha(2)}") in edges(result)
    assert result.metadata["beforeSha"] == sha(1)


def test_an_edited_title_is_the_items_name_from_then_on() -> None:
    payload = issue("edited", title="The basket is empty")
    result = statement("issues", changed(payload, changes={"title": {"from": "Fix #9"}}))
    assert result.subject.name == "#5 The basket is empty"
    assert result.metadata["titleWas"] == "Fix #9"
    # The new title does not refer to what the old one did.
    assert enrich(result).edges == ()


def test_an_edited_text_is_searched_for_closing_words_only_in_a_pull_request() -> None:
    body = {"body": {"from": "before"}}
    pull = enrich(
        statement("pull_request", changed(pull_request("edited", body="Fixes #7"), changes=body))
    )
    assert ("fixes", "github:ref:acme/shop#7") in [
        (edge.type, edge.object.key) for edge in pull.edges
    ]
    asked = enrich(statement("issues", changed(issue("edited", body="Fixes #7"), changes=body)))
    assert [edge.type for edge in asked.edges] == ["references"]


@pytest.mark.parametrize("action", ["labeled", "assigned", "synchronize", "review_requested"])
def test_a_text_that_was_not_edited_is_not_searched_again(action: str) -> None:
    payload = changed(
        pull_request(action, title="Close #8", body="Fixes #7"),
        label=LABEL,
        assignee=user("lin"),
        requested_reviewer=user("lin"),
        after=sha(2),
    )
    found = enrich(statement("pull_request", payload))
    assert {edge.type for edge in found.edges} <= {"contains", "on_branch"}


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        ("issues", issue("labeled")),
        ("issues", changed(issue("edited"), changes={})),
        ("issues", issue("assigned")),
        ("issues", issue("milestoned")),
        ("pull_request", pull_request("review_requested")),
    ],
)
def test_a_change_that_names_nothing_is_filtered(event: str, payload: dict[str, Any]) -> None:
    assert isinstance(read(event, payload), Filtered)


def test_a_changed_category_is_kept() -> None:
    payload = changed(
        discussion("category_changed", category="Ideas"),
        changes={"category": {"from": {"name": "Q&A"}}},
    )
    result = statement("discussion", payload)
    assert result.metadata["categoryWas"] == "Q&A"
    assert result.source_type == "discussion.category-changed"
    assert mentioned(result, "subject") == ["github:discussion:1#8"]
