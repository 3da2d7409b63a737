"""Comments and reviews: their subjects, and the people who take part."""

from __future__ import annotations

from typing import Any

import pytest

from lightfast_pipelines.domain.enrichment import enrich
from lightfast_pipelines.domain.events import Parked
from tests.providers.github.more_payloads import (
    MILESTONE,
    commit_comment,
    discussion_comment,
    issue_comment,
    review,
    review_comment,
)
from tests.providers.github.payloads import CHANGED_AT, sha
from tests.providers.github.readings import accounts, edges, mentioned, read, statement


@pytest.mark.parametrize(
    ("event", "payload", "thing", "subject", "whose"),
    [
        ("issue_comment", issue_comment(), "comment", "github:issue:1#5", ["grace"]),
        (
            "pull_request_review_comment",
            review_comment(),
            "review-comment",
            "github:pr:1#1",
            ["ada"],
        ),
        (
            "discussion_comment",
            discussion_comment(),
            "discussion-comment",
            "github:discussion:1#8",
            ["grace"],
        ),
        ("commit_comment", commit_comment(), "commit-comment", f"github:commit:{sha('c')}", []),
    ],
)
def test_the_subject_of_a_comment_is_what_it_was_written_on(
    event: str, payload: dict[str, Any], thing: str, subject: str, whose: list[str]
) -> None:
    result = statement(event, payload)
    assert result.source_id == f"{subject}|{thing}.created|550"
    assert (result.source_type, result.subject.key) == (f"{thing}.created", subject)
    assert accounts(result, "subject_author") == whose
    assert result.author is not None
    assert result.author.username == "lin"
    assert enrich(result).significance_score < 30


def test_an_issue_comment_on_a_pull_request_is_the_pull_requests() -> None:
    payload = issue_comment()
    payload["issue"]["pull_request"] = {"url": "https://api.github.com/repos/a/b/pulls/5"}
    assert statement("issue_comment", payload).subject.key == "github:pr:1#5"


def test_references_in_a_comment_are_its_subjects_and_close_nothing() -> None:
    found = enrich(statement("issue_comment", issue_comment("Fixes #7, see #5 and `#9`")))
    assert [(e.subject.key, e.type, e.object.key) for e in found.edges] == [
        ("github:issue:1#5", "references", "github:ref:acme/shop#7")
    ]


def test_an_edit_is_another_observation_and_a_deletion_does_not_repeat_the_text() -> None:
    edited = statement("issue_comment", issue_comment("Now #8", action="edited"))
    assert edited.source_id == f"github:issue:1#5|comment.edited|550@{CHANGED_AT}"
    deleted = statement("issue_comment", issue_comment("a secret of #8", action="deleted"))
    assert deleted.source_id == "github:issue:1#5|comment.deleted|550"
    assert "secret" not in f"{deleted.title}{deleted.content}"
    assert enrich(deleted).edges == ()


def test_a_comment_on_lines_names_file_and_commit() -> None:
    result = statement("pull_request_review_comment", review_comment())
    assert mentioned(result, "file") == ["file:shop/cart.py"]
    assert f"github:commit:{sha('acme/shop#1 head')}" in mentioned(result, "reference")
    assert result.metadata["reviewId"] == 70


@pytest.mark.parametrize(
    ("state", "tag", "weight"),
    [
        ("approved", "Review Approved", 30),
        ("changes_requested", "Changes Requested", 35),
        ("commented", "Review Comment", 15),
        ("APPROVED", "Review Approved", 30),
        ("unheard_of", "Review", 15),
    ],
)
def test_a_review_has_its_verdict(state: str, tag: str, weight: int) -> None:
    result = statement("pull_request_review", review(state))
    assert result.title == f"[{tag}] #1: Well done."
    assert result.source_id == "github:pr:1#1|review.submitted|70"
    assert result.base_significance == weight
    assert result.metadata["reviewState"] == state.lower()
    assert accounts(result, "reviewer") == ["lin"]
    assert accounts(result, "subject_author") == ["ada"]


def test_a_review_without_text_shows_the_pull_requests_title_and_refers_to_nothing() -> None:
    payload = review("approved", body=None)
    payload["pull_request"]["title"] = "Fix #9"
    result = statement("pull_request_review", payload)
    assert result.title == "[Review Approved] Fix #9"
    assert {edge.type for edge in enrich(result).edges} == {"contains", "on_branch"}


def test_comments_and_reviews_relate_the_milestone_and_head_of_their_subject() -> None:
    head = {
        ("github:pr:1#1", "on_branch", "github:branch:1:feature/cart"),
        ("github:pr:1#1", "contains", f"github:commit:{sha('acme/shop#1 head')}"),
    }
    assert edges(statement("pull_request_review", review("approved"))) == head
    assert edges(statement("pull_request_review_comment", review_comment())) == head
    payload = issue_comment()
    payload["issue"]["milestone"] = MILESTONE
    assert edges(statement("issue_comment", payload)) == {
        ("github:issue:1#5", "belongs_to", "github:milestone:1#3")
    }


def test_a_dismissed_review_is_stated_once() -> None:
    result = statement("pull_request_review", review("dismissed", action="dismissed"))
    assert result.source_id == "github:pr:1#1|review.dismissed|70"
    assert result.source_type == "review.dismissed"


def test_unknown_actions_of_comments_and_reviews_are_parked() -> None:
    assert isinstance(read("issue_comment", issue_comment(action="pinned")), Parked)
    assert isinstance(read("pull_request_review", review(action="pinned")), Parked)
    broken = issue_comment()
    broken["issue"] = None
    assert isinstance(read("issue_comment", broken), Parked)


def test_a_comment_without_text_is_titled_by_its_subject_alone() -> None:
    assert statement("issue_comment", issue_comment(None)).title == "[Comment] #5"
