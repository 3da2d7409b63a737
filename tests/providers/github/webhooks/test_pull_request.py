"""The statements of pull_request payloads, transition by transition."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from lightfast_pipelines.domain.events import Filtered, Parked
from tests.providers.github.payloads import pull_request, push, repository, sha, user
from tests.providers.github.readings import accounts, edges, mentioned, read, statement

PR = "github:pr:1#1"
OPENED = datetime(2024, 5, 1, 10, tzinfo=UTC)
CHANGED = datetime(2024, 5, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("payload", "source_type", "tag", "at", "state", "rank"),
    [
        (pull_request("opened"), "opened", "PR Opened", OPENED, "open", 1),
        (pull_request("opened", draft=True), "opened", "PR Opened", OPENED, "draft", 0),
        (pull_request("closed"), "closed", "PR Closed", CHANGED, "closed", 4),
        (pull_request("closed", merged=True), "merged", "PR Merged", CHANGED, "merged", 5),
        (pull_request("reopened"), "reopened", "PR Reopened", CHANGED, "open", 2),
        (
            pull_request("ready_for_review"),
            "ready-for-review",
            "Ready for Review",
            CHANGED,
            "open",
            3,
        ),
        (
            pull_request("converted_to_draft", draft=True),
            "converted-to-draft",
            "PR Converted to Draft",
            CHANGED,
            "draft",
            0,
        ),
    ],
)
def test_each_action_is_its_own_transition_at_its_own_time(
    payload: dict[str, object], source_type: str, tag: str, at: datetime, state: str, rank: int
) -> None:
    result = statement("pull_request", payload)
    assert result.source_type == f"pull-request.{source_type}"
    assert result.source_id == f"{PR}|{source_type}|{at:%Y-%m-%dT%H:%M:%SZ}"
    assert result.title == f"[{tag}] Add a cart"
    assert result.occurred_at == at
    changes = [(each.thing.key, each.state_type, each.value, each.rank) for each in result.states]
    assert changes == [(PR, "status", state, rank)]
    assert result.states[0].at == at


def test_a_merge_is_recognized_by_its_time_where_the_flag_is_missing() -> None:
    payload = pull_request("closed", merged=True)
    del payload["pull_request"]["merged"]
    assert statement("pull_request", payload).source_type == "pull-request.merged"


def test_a_close_that_follows_an_update_keeps_its_own_time() -> None:
    payload = pull_request("closed", merged=True, updated_at="2024-06-01T00:00:00Z")
    result = statement("pull_request", payload)
    assert result.occurred_at == CHANGED
    assert result.updated_at == datetime(2024, 6, 1, tzinfo=UTC)


def test_reopened_twice_is_two_observations_and_delivered_twice_is_one() -> None:
    first = pull_request("reopened", at="2024-05-03T00:00:00Z")
    second = pull_request("reopened", at="2024-05-04T00:00:00Z")
    ids = [statement("pull_request", each).source_id for each in (first, second, first)]
    assert ids[0] != ids[1]
    assert ids[0] == ids[2]


def test_a_renamed_repository_changes_no_id() -> None:
    before = statement("pull_request", pull_request("closed", repo="acme/shop"))
    after = statement("pull_request", pull_request("closed", repo="Acme-Inc/store"))
    assert before.source_id == after.source_id
    assert before.subject.key == after.subject.key
    assert before.subject.aliases == ("github:ref:1#1", "github:ref:acme/shop#1")
    assert after.subject.aliases == ("github:ref:1#1", "github:ref:acme-inc/store#1")


def test_actor_and_author_are_kept_apart() -> None:
    result = statement(
        "pull_request", pull_request("closed", merged=True, author="ada", sender="grace")
    )
    assert result.actor is not None
    assert result.author is not None
    assert (result.actor.username, result.author.username) == ("grace", "ada")
    assert accounts(result, "merged_by") == ["grace"]
    assert result.metadata["mergedBy"] == "grace"


def test_bots_are_bots_and_ghosts_are_nobody() -> None:
    bot = user("renovate[bot]", 29139614, "Bot")
    payload = pull_request("opened", sender=bot)
    payload["pull_request"]["user"] = None
    result = statement("pull_request", payload)
    assert result.actor is not None
    assert result.actor.kind == "bot"
    assert result.author is None


def test_the_trial_merge_of_an_open_pull_request_is_not_its_merge() -> None:
    head, merge = sha("head"), sha("merge")
    contains = (PR, "contains", f"github:commit:{head}")
    on_branch = (PR, "on_branch", "github:branch:1:feature/cart")
    merges_as = (PR, "merges_as", f"github:commit:{merge}")
    opened = pull_request("opened", head_sha=head, merge_sha=merge)
    assert edges(statement("pull_request", opened)) == {contains, on_branch}
    merged = pull_request("closed", merged=True, head_sha=head, merge_sha=merge)
    assert edges(statement("pull_request", merged)) == {contains, on_branch, merges_as}


def test_a_branch_belongs_to_the_fork_it_is_in_and_to_nobody_once_that_is_gone() -> None:
    fork = pull_request("opened")
    fork["pull_request"]["head"]["repo"] = repository("eve/shop", 99)
    assert (PR, "on_branch", "github:branch:99:feature/cart") in edges(
        statement("pull_request", fork)
    )
    gone = pull_request("opened")
    gone["pull_request"]["head"]["repo"] = None
    result = statement("pull_request", gone)
    assert all(edge.type != "on_branch" for edge in result.edges)
    assert ("branch", "feature/cart") in [
        (reference.type, reference.id) for reference in result.references
    ]


def test_references_come_in_the_order_of_the_page() -> None:
    result = statement(
        "pull_request",
        pull_request(
            "closed",
            merged=True,
            reviewers=("grace", "grace"),
            assignees=("ada",),
            labels=("bug", ""),
            milestone={"number": 3, "title": "v1"},
        ),
    )
    assert [reference.type for reference in result.references] == [
        *("pr", "branch", "commit", "commit", "reviewer", "assignee", "label")
    ]
    assert [reference.label for reference in result.references][3] == "merge"
    assert accounts(result, "reviewer") == ["grace"]
    assert mentioned(result, "label") == ["github:label:1:bug"]
    assert mentioned(result, "assignee") == [f"user:github:{user('ada')['id']}"]
    assert (PR, "belongs_to", "github:milestone:1#3") in edges(result)


def test_long_texts_are_cut_but_searched_whole_for_closing_words() -> None:
    body = "x" * 20_000 + "\nFixes #5"
    result = statement("pull_request", pull_request("opened", title="t" * 300, body=body))
    assert len(result.title) == 200
    assert result.title.endswith("...")
    assert len(result.content) == 10_000
    assert result.content.endswith("...")
    assert result.link_text is not None
    assert result.link_text.endswith("Fixes #5")
    assert result.scope is not None
    assert (result.scope.repository_id, result.scope.repository_name) == ("1", "acme/shop")


def test_nul_and_half_a_surrogate_become_replacement_characters_everywhere() -> None:
    payload = pull_request("opened", title="a\x00b", labels=("l\x00",), head="h\x00")
    result = statement("pull_request", payload)
    assert result.title == "[PR Opened] a\ufffdb"
    assert "\\x00" not in repr(result)


@pytest.mark.parametrize("action", ["auto_merge_enabled", "auto_merge_disabled"])
def test_known_actions_that_are_not_kept_say_so(action: str) -> None:
    assert read("pull_request", pull_request(action)) == Filtered(f"action {action} is not kept")


def test_an_unknown_action_and_a_missing_field_are_parked_by_name() -> None:
    unknown = read("pull_request", pull_request("painted"))
    assert unknown == Parked("action painted of pull_request is not known yet")
    for path in ("pull_request", "repository"):
        payload = pull_request("opened")
        payload[path] = None
        reading = read("pull_request", payload)
        assert isinstance(reading, Parked)
        assert path in reading.reason
    timeless = pull_request("closed", closed_at="2026", updated_at=None)
    timeless["pull_request"]["created_at"] = None
    reading = read("pull_request", timeless)
    assert isinstance(reading, Parked)
    assert "pull_request.closed_at" in reading.reason


def test_other_events_are_parked() -> None:
    assert read("gollum", push()) == Parked("event gollum is not known yet")
