"""The records of one item: only what is certain for their moment, in the shape of a webhook."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from lightfast_pipelines.domain.events import Statement
from lightfast_pipelines.providers.api_contract import LinkedResource, Record
from lightfast_pipelines.providers.github.api import (
    comments,
    commits,
    events,
    issues,
    pulls,
    releases,
)
from tests.providers.github.payloads import sha, user
from tests.providers.github.readings import accounts, statement

PLACE = LinkedResource("github", "1", "acme/shop", {"default_branch": "main"})
OPENED, ENDED, LATER = "2024-05-01T10:00:00Z", "2024-05-02T12:00:00Z", "2024-05-03T09:00:00Z"


def told(record: Record) -> Statement:
    result = statement(record.event_type, record.payload)
    if result.source_type != "commit.pushed":
        assert result.occurred_at == record.occurred_at
    return result


def thing(number: int = 5, *, merged_at: str | None = None, **more: Any) -> dict[str, Any]:
    """An issue as an event shows it today; with `merged_at` or `pull=True` a pull request."""
    pull = more.pop("pull", False) or merged_at is not None
    return {
        "id": 100 + number,
        "number": number,
        "title": "Add a cart",
        "body": "For #3.",
        "html_url": f"https://github.com/acme/shop/{'pull' if pull else 'issues'}/{number}",
        "user": user("ada"),
        "created_at": OPENED,
        "updated_at": LATER,
        "closed_at": None,
        "assignees": [],
        "milestone": None,
        "state_reason": None,
        **({"pull_request": {"merged_at": merged_at}} if pull else {}),
        **more,
    }


def event(kind: str, issue: dict[str, Any], at: str = ENDED, **more: Any) -> list[Record]:
    item = {
        "id": 9,
        "event": kind,
        "actor": user("grace"),
        "created_at": at,
        "issue": issue,
        **more,
    }
    return list(events.records(PLACE, item))


def pull(**more: Any) -> dict[str, Any]:
    return {
        **thing(7),
        "merged_at": None,
        "merge_commit_sha": sha("trial"),
        "draft": True,
        "labels": [{"name": "bug"}],
        "requested_reviewers": [user("lin")],
        "head": {"ref": "cart", "sha": sha("head"), "repo": {"id": 1}},
        "base": {"ref": "main"},
        **more,
    }


def test_an_open_pull_request_is_read_as_opened_without_later_fields() -> None:
    (record,) = pulls.records(PLACE, pull())
    found = told(record)
    assert found.source_type == "pull-request.opened"
    assert found.source_id.startswith("github:pr:1#7")
    assert accounts(found, "reviewer") == []
    assert found.metadata["labels"] == []
    assert found.metadata["headRef"] == "cart"
    assert found.metadata["headSha"] is None  # there may have been pushes since
    assert found.actor == found.author


def test_a_list_does_not_know_who_merged() -> None:
    merged = pull(merged_at=ENDED, closed_at=ENDED, merge_commit_sha=sha("merge"))
    opened, ended = pulls.records(PLACE, merged)
    assert told(opened).source_type == "pull-request.opened"
    found = told(ended)
    assert found.source_type == "pull-request.merged"
    assert found.actor is None
    assert found.metadata["headSha"] == sha("head")


def test_the_trial_merge_of_a_closed_pull_request_is_not_its_merge() -> None:
    _, ended = pulls.records(PLACE, pull(closed_at=ENDED))
    assert told(ended).source_type == "pull-request.closed"
    assert "merge_commit_sha" not in ended.payload["pull_request"]


def test_the_same_item_read_after_other_changes_is_the_same_record() -> None:
    merged = pull(merged_at=ENDED, closed_at=ENDED)
    changed = {
        **merged,
        "updated_at": LATER,
        "labels": [],
        "draft": False,
        "requested_reviewers": [],
    }
    changed["user"] = {**merged["user"], "site_admin": True, "followers": 3}
    assert list(pulls.records(PLACE, merged)) == list(pulls.records(PLACE, changed))


def test_a_pull_request_in_the_list_of_issues_is_left_to_its_own_list() -> None:
    assert list(issues.records(PLACE, thing(pull=True))) == []


def test_an_issue_is_read_as_opened_and_as_closed() -> None:
    opened, closed = issues.records(PLACE, thing(closed_at=ENDED, state_reason="not_planned"))
    assert told(opened).source_type == "issue.opened"
    (state,) = told(closed).states
    assert (state.value, state.reason) == ("closed", "not_planned")
    assert told(closed).actor is None


@pytest.mark.parametrize("late", [0, 1])
def test_a_close_at_the_moment_of_the_merge_is_not_a_second_fact(late: int) -> None:
    merged = thing(merged_at=ENDED, closed_at=ENDED)
    at = ENDED.replace("00Z", f"0{late}Z")
    assert event("closed", merged, at) == []
    (record,) = event("merged", merged, at, commit_id=sha("merge"))
    found = told(record)
    assert found.source_type == "pull-request.merged"
    assert found.source_id.endswith(ENDED)
    assert found.actor is not None
    assert found.actor.username == "grace"
    assert accounts(found, "merged_by") == ["grace"]


def test_a_close_before_the_merge_is_a_fact_of_its_own() -> None:
    (record,) = event("closed", thing(merged_at=LATER, closed_at=LATER), ENDED)
    assert told(record).source_type == "pull-request.closed"


@pytest.mark.parametrize(
    ("reason", "issue", "expected"),
    [
        # GitHub leaves the usual reason out of the event.
        (None, thing(closed_at=ENDED, state_reason="completed"), "completed"),
        ("not_planned", thing(closed_at=ENDED, state_reason="not_planned"), "not_planned"),
        # Closed again later, for another reason.
        (None, thing(closed_at=LATER, state_reason="not_planned"), "closed"),
        ("duplicate", thing(), "duplicate"),
    ],
)
def test_the_reason_of_a_closed_issue_is_kept_where_it_is_known(
    reason: str | None, issue: dict[str, Any], expected: str
) -> None:
    (record,) = event("closed", issue, state_reason=reason)
    assert told(record).states[0].reason == expected


def test_an_event_one_second_from_the_issues_own_time_is_the_same_fact() -> None:
    (record,) = event("closed", thing(closed_at="2024-05-02T11:59:59Z"), ENDED)
    assert told(record).source_id.endswith("2024-05-02T11:59:59Z")
    assert record.occurred_at == datetime(2024, 5, 2, 11, 59, 59, tzinfo=UTC)


def test_assignees_are_read_only_where_all_of_them_are_known() -> None:
    alone = thing(assignees=[user("lin")])
    (record,) = event("assigned", alone, assignee=user("lin"), assigner=user("edsger"))
    found = told(record)
    assert found.actor is not None
    assert found.actor.username == "edsger"
    assert found.states[0].metadata["names"] == ["lin"]
    both = thing(assignees=[user("lin"), user("barbara")])
    assert event("assigned", both, assignee=user("lin"), assigner=user("edsger")) == []


def test_a_milestone_is_read_while_the_issue_still_has_it() -> None:
    has = thing(milestone={"number": 3, "title": "v1", "html_url": "https://github.com/m/3"})
    (record,) = event("milestoned", has, milestone={"title": "v1"})
    assert told(record).states[0].value == "github:milestone:1#3"
    assert event("demilestoned", thing(), milestone={"title": "v1"}) == []


def test_a_new_title_is_read_with_the_old_one() -> None:
    (record,) = event("renamed", thing(), rename={"from": "Add a card", "to": "Add a cart"})
    found = told(record)
    assert found.source_type == "issue.edited"
    assert found.metadata["titleWas"] == "Add a card"


def test_the_requester_of_a_review_is_the_sender() -> None:
    more: dict[str, Any] = {"review_requester": user("ada"), "requested_reviewer": user("lin")}
    (record,) = event("review_requested", thing(pull=True), **more)
    assert accounts(told(record), "reviewer") == ["lin"]
    team: dict[str, Any] = {
        "review_requester": user("ada"),
        "requested_team": {"id": 1, "slug": "web"},
    }
    (record,) = event("review_requested", thing(pull=True), **team)
    assert told(record).metadata["team"] == "web"


def test_a_dismissed_review_is_named_by_its_number() -> None:
    review = {"state": "approved", "review_id": 70, "dismissal_message": "old"}
    (record,) = event("review_dismissed", thing(pull=True), dismissed_review=review)
    found = told(record)
    assert (found.source_type, found.source_id[-2:]) == ("review.dismissed", "70")


def test_an_event_of_a_ghost_names_nobody() -> None:
    (record,) = event("labeled", thing(), actor=None, label={"name": "bug"})
    assert told(record).actor is None


@pytest.mark.parametrize("kind", ["subscribed", "mentioned", "referenced", "something_new"])
def test_an_event_that_is_not_a_fact_is_skipped(kind: str) -> None:
    assert event(kind, thing()) == []
    item = {"id": 1, "event": "closed", "created_at": ENDED, "actor": None, "issue": None}
    assert list(events.records(PLACE, item)) == []


def test_a_comment_is_read_without_the_title_that_its_list_lacks() -> None:
    item = {
        "id": 80,
        "html_url": "https://github.com/acme/shop/pull/7#issuecomment-80",
        "issue_url": "https://api.github.com/repos/acme/shop/issues/7",
        "body": "Have a look.",
        "user": user("lin"),
        "created_at": ENDED,
        "updated_at": LATER,
        "author_association": "MEMBER",
    }
    (record,) = comments.issue_comments(PLACE, item)
    found = told(record)
    assert found.subject.key == "github:pr:1#7"
    assert found.subject.name is None
    with pytest.raises(ValueError, match="names no number"):
        list(comments.issue_comments(PLACE, {**item, "issue_url": None}))


def test_a_comment_on_a_line_keeps_the_line_that_it_was_written_on() -> None:
    item = {
        "id": 81,
        "html_url": "https://github.com/acme/shop/pull/7#discussion_r81",
        "pull_request_url": "https://api.github.com/repos/acme/shop/pulls/7",
        "body": "Rename this.",
        "user": user("lin"),
        "path": "shop/cart.py",
        "line": None,
        "original_line": 12,
        "commit_id": sha("pushed since"),
        "original_commit_id": sha("head"),
        "created_at": ENDED,
        "updated_at": ENDED,
    }
    (record,) = comments.review_comments(PLACE, item)
    assert record.payload["comment"]["line"] == 12
    assert record.payload["comment"]["commit_id"] == sha("head")
    assert "original_line" not in record.payload["comment"]


def test_a_commit_has_its_authors_time_and_the_account_that_github_knows() -> None:
    person = {"name": "Ada", "email": "ada@acme.test", "date": OPENED}
    item = {
        "sha": sha("c"),
        "html_url": "https://github.com/acme/shop/commit/x",
        "commit": {"message": "Add", "author": person, "committer": {**person, "date": ENDED}},
        "author": user("ada"),
        "committer": None,
    }
    (record,) = commits.records(PLACE, item)
    assert record.occurred_at == datetime(2024, 5, 2, 12, tzinfo=UTC)
    found = told(record)
    assert found.occurred_at == datetime(2024, 5, 1, 10, tzinfo=UTC)
    assert found.author is not None
    assert (found.author.username, found.author.email_verified) == ("ada", True)


def test_a_published_release_has_no_known_publisher() -> None:
    item = {"id": 60, "tag_name": "v1", "draft": False, "author": user("ada")}
    item |= {"created_at": OPENED, "published_at": ENDED}
    (record,) = releases.records(PLACE, item)
    assert (told(record).source_type, told(record).actor) == ("release.published", None)
    (record,) = releases.records(PLACE, {**item, "draft": True, "published_at": None})
    assert told(record).source_type == "release.created"
