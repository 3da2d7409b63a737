"""A push that does not list its commits: what it says is kept, and what it lacks is noted."""

from __future__ import annotations

from typing import Any

import pytest

from lightfast_pipelines.domain.events import Filtered, Parked
from tests.providers.github.payloads import NOBODY, commit, push, sha, web_flow
from tests.providers.github.readings import edges, read, statement, statements

HEAD, BEFORE = sha("head"), sha("before")
MAIN, TOPIC = "github:branch:1:main", "github:branch:1:topic"


def on(branch: str, commit_sha: str) -> tuple[str, str, str]:
    return (f"github:commit:{commit_sha}", "on_branch", branch)


@pytest.mark.parametrize("commits", [None, [], "lost"])
def test_a_push_without_commits_states_the_head_of_its_branch(commits: Any) -> None:
    payload = {**push([], before=BEFORE, after=HEAD), "commits": commits, "head_commit": None}
    result = statement("push", payload)
    assert (result.source_type, result.title) == ("branch.pushed", "[Branch Pushed] main")
    assert on(MAIN, HEAD) in edges(result)
    assert result.content == f"Branch main of acme/shop was moved from {BEFORE} to {HEAD}."
    assert result.metadata["commitsMissing"] is True


def test_a_push_without_the_commits_field_states_it_too() -> None:
    payload = push([], before=BEFORE, after=HEAD)
    del payload["commits"], payload["head_commit"]
    assert on(MAIN, HEAD) in edges(statement("push", payload))


def test_a_new_branch_on_a_commit_that_is_not_listed_points_at_it() -> None:
    payload = push([], ref="refs/heads/topic", before=NOBODY, after=HEAD)
    result = statement("push", payload)
    assert result.content == f"Branch topic of acme/shop was made at {HEAD}."
    assert on(TOPIC, HEAD) in edges(result)


def test_a_new_branch_on_a_known_commit_is_stated_only_by_the_commit() -> None:
    head = commit("Known")
    payload = {**push([], ref="refs/heads/topic", before=NOBODY, after=head["id"])}
    result = statement("push", {**payload, "head_commit": head})
    assert result.source_type == "commit.pushed"
    assert on(TOPIC, head["id"]) in edges(result)


def test_a_head_commit_alone_is_stated_and_the_others_are_noted_as_missing() -> None:
    head = commit("Last of five")
    payload = push([], before=BEFORE, after=head["id"])
    pushed, branch = statements("push", {**payload, "commits": None, "head_commit": head})
    assert pushed.source_type == "commit.pushed"
    assert branch.metadata["commitsMissing"] is True


@pytest.mark.parametrize("field", ["size", "distinct_size"])
def test_a_push_of_more_commits_than_it_lists_says_so(field: str) -> None:
    *commits, branch = statements("push", {**push([commit("One"), commit("Two")]), field: 3})
    assert [each.metadata["commitsCut"] for each in commits] == [True, True]
    assert branch.source_type == "branch.pushed"


def test_a_head_beyond_the_list_is_on_the_branch() -> None:
    results = statements("push", push([commit("One")], after=HEAD, head_commit=None))
    assert on(MAIN, HEAD) in edges(results[-1])


def test_a_commit_with_only_an_id_is_on_the_branch() -> None:
    head, bare = commit("Head"), {"id": sha("bare")}
    pushed, branch = statements("push", push([bare, head]))
    assert pushed.subject.key == f"github:commit:{head['id']}"
    assert {on(MAIN, bare["id"]), on(MAIN, head["id"])} <= edges(branch)


def test_a_merge_without_a_head_commit_is_recognized_by_the_pushs_after() -> None:
    work = commit("Work")
    merge = commit("Merge pull request #12 from acme/cart", committer=web_flow())
    results = statements("push", push([work, merge], head_commit=None))
    brought = ("github:ref:acme/shop#12", "contains", f"github:commit:{work['id']}")
    assert brought in edges(results[0])
    assert len(results) == 2


def test_a_forced_push_without_commits_is_stated_once() -> None:
    result = statement("push", push([], before=BEFORE, after=HEAD, forced=True))
    assert result.source_type == "push.forced"
    assert on(MAIN, HEAD) in edges(result)


def test_a_push_without_any_time_is_parked_not_lost() -> None:
    payload = push([], before=BEFORE, after=HEAD, pushed_at=None)
    payload["repository"]["updated_at"] = None
    reading = read("push", payload)
    assert isinstance(reading, Parked)
    assert "repository.pushed_at is missing" in reading.reason


def test_a_push_without_an_after_deletes_nothing() -> None:
    payload = push([], before=BEFORE, after=HEAD)
    del payload["after"]
    assert isinstance(read("push", payload), Parked)
    told = {**push([commit("Head")])}
    del told["after"]
    assert [each.source_type for each in statements("push", told)] == ["commit.pushed"]
    gone = {**push([], after=NOBODY)}
    del gone["after"]
    assert statement("push", gone).source_type == "branch.deleted"


def test_commits_that_a_merge_queue_tests_are_not_work_on_a_branch() -> None:
    ref = "refs/heads/gh-readonly-queue/main/pr-12-0123abc"
    assert isinstance(read("push", push(ref=ref)), Filtered)
