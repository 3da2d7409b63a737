"""The statements of a push: its commits, and the push itself where it forces, deletes or tags."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from lightfast_pipelines.domain.events import Filtered, Parked
from tests.providers.github.payloads import NOBODY, commit, push, sha, web_flow
from tests.providers.github.readings import accounts, edges, mentioned, read, statement, statements


def key(seed: dict[str, Any]) -> str:
    return f"github:commit:{seed['id']}"


def test_each_commit_is_an_observation_at_its_authors_time() -> None:
    first = commit("Add a cart\n\nIt holds things.", at="2024-05-01T12:00:00+02:00")
    second = commit("Empty it", at="2024-05-01T11:00:00Z")
    results = statements("push", push([first, second]))
    assert [result.source_id for result in results] == [
        f"{key(first)}|pushed",
        f"{key(second)}|pushed",
    ]
    assert results[0].occurred_at == datetime(2024, 5, 1, 10, tzinfo=UTC)
    assert results[0].occurred_at.tzinfo is UTC
    assert results[0].title == "[Commit] Add a cart"
    assert results[0].content == "Add a cart\n\nIt holds things."
    assert results[0].source_type == "commit.pushed"
    assert (results[0].branch, results[0].paths) == ("main", ("shop/cart.py",))


@pytest.mark.parametrize(
    ("stated", "offset"),
    [
        ("2024-05-01T12:00:00+02:00", 120),
        ("2024-05-01T12:00:00.123-03:30", -210),
        ("2024-05-01T12:00:00+00:00", 0),
        # APIs convert every time to UTC, so this says nothing about the author's clock.
        ("2024-05-01T12:00:00Z", None),
        ("2024-05-01T12:00:00+23:59", None),
    ],
)
def test_a_commit_keeps_the_offset_of_its_authors_clock(stated: str, offset: int | None) -> None:
    made = commit(at=stated)
    assert statement("push", push([made])).metadata["utcOffset"] == offset
    del made["author"]["date"]
    assert statement("push", push([made])).metadata["utcOffset"] == offset


def test_the_authors_time_takes_precedence_over_the_committers() -> None:
    late = {"name": "Bob", "email": "bob@acme.test", "date": "2024-06-01T00:00:00Z"}
    rebased = commit(at="2024-05-01T10:00:00Z", committer=late)
    rebased["timestamp"] = "2024-06-01T00:00:00Z"
    result = statement("push", push([rebased]))
    assert result.occurred_at == datetime(2024, 5, 1, 10, tzinfo=UTC)
    assert accounts(result, "committer") == ["Bob <bob@acme.test>"]


@pytest.mark.parametrize("wrong", ["2099-01-01T00:00:00Z", "1970-01-01T00:00:00Z"])
def test_a_wrong_clock_puts_no_commit_into_the_future_or_into_1970(wrong: str) -> None:
    right = {"name": "Bob", "email": "bob@acme.test", "date": "2024-05-01T09:00:00Z"}
    for committer, at in (
        ({**right, "date": wrong}, "2024-05-02T10:00"),
        (right, "2024-05-01T09:00"),
    ):
        result = statement("push", push([commit(at=wrong, committer=committer)]))
        assert result.occurred_at.isoformat().startswith(at)
    # The API names no push.
    listed = push([commit(at=wrong, committer=right)], pushed_at=None)
    assert statement("push", listed).occurred_at.isoformat().startswith("2024-05-01T09:00")


def test_a_commit_in_two_pushes_is_one_observation() -> None:
    same = commit("Add a cart")
    on_branch = statement("push", push([same], ref="refs/heads/feature/cart"))
    on_main = statement("push", push([{**same, "distinct": False}]))
    assert on_branch.source_id == on_main.source_id
    assert (on_branch.branch, on_main.branch) == ("feature/cart", "main")


def test_the_commits_author_is_the_actor_and_the_sender_is_the_pusher() -> None:
    result = statement("push", push([commit(author="Grace", email="G@acme.test")], sender="ada"))
    assert result.actor is not None
    assert result.actor == result.author
    assert (result.actor.source, result.actor.source_id) == ("git", "Grace <g@acme.test>")
    assert not result.actor.email_verified
    assert accounts(result, "pusher") == ["ada"]


def test_github_verified_the_address_of_a_commit_with_a_login() -> None:
    result = statement("push", push([commit(username="ada")]))
    assert result.author is not None
    assert (result.author.username, result.author.email_verified) == ("ada", True)


def test_a_bots_commit_has_a_bot_as_its_author() -> None:
    address = "49699333+dependabot[bot]@users.noreply.github.com"
    result = statement("push", push([commit(author="dependabot[bot]", email=address)]))
    assert result.author is not None
    assert result.author.kind == "bot"


def test_trailers_name_co_authors_and_githubs_own_committer_is_nobody() -> None:
    message = (
        "Pair\n\nCo-authored-by: Grace <grace@acme.test>\nCO-AUTHORED-BY: <x@y.test>\r\n"
        "Not Co-authored-by: Eve <eve@acme.test>\nCo-authored-by: nobody"
    )
    result = statement("push", push([commit(message, committer=web_flow())]))
    assert accounts(result, "co_author") == ["Grace <grace@acme.test>", " <x@y.test>"]
    assert accounts(result, "committer") == []


def test_changed_files_are_mentioned_up_to_three_hundred_and_all_are_counted() -> None:
    names = tuple(f"src/{number:03}.py" for number in range(320))
    result = statement("push", push([commit(added=names, modified=(), removed=("old.py",))]))
    assert len(mentioned(result, "file")) == 300
    assert mentioned(result, "file")[0] == "file:old.py"
    assert (result.metadata["fileCount"], result.metadata["added"]) == (321, 320)
    assert result.paths is not None
    assert len(result.paths) == 321


def test_a_mention_of_a_file_says_what_the_commit_did_to_it() -> None:
    # A file that is added and removed by one commit exists neither before nor after: it counts as added.
    result = statement(
        "push", push([commit(added=("a.py", "e.py"), modified=("b.py",), removed=("c.py", "e.py"))])
    )
    assert {
        mention.thing.key: mention.evidence for mention in result.mentions if mention.role == "file"
    } == {
        "file:a.py": "added",
        "file:b.py": "modified",
        "file:c.py": "removed",
        "file:e.py": "added",
    }


def test_a_head_commit_beyond_the_cut_list_is_stated_too() -> None:
    commits = [commit(f"c{number}") for number in range(3)]
    payload = push(commits)
    payload["commits"] = commits[:2]
    results = statements("push", payload)
    assert [each.subject.key for each in results] == [key(each) for each in commits]


def test_a_forced_push_is_an_observation_beside_its_commits() -> None:
    new = commit("New")
    forced, pushed = statements("push", push([new], forced=True, ref="refs/heads/topic"))
    assert forced.source_type == "push.forced"
    assert forced.occurred_at == datetime(2024, 5, 2, 10, tzinfo=UTC)
    assert forced.actor is not None
    assert forced.actor.username == "ada"
    assert forced.branch == "topic"
    assert (key(new), "on_branch", "github:branch:1:topic") in edges(forced)
    assert pushed.source_type == "commit.pushed"


def test_each_forced_push_back_and_forth_is_an_observation() -> None:
    one, two = commit("One"), commit("Two")
    there = push([two], before=one["id"], forced=True)
    back = push([one], before=two["id"], forced=True)
    again = push([two], before=one["id"], forced=True, pushed_at=1_714_650_000)
    ids = {statements("push", each)[0].source_id for each in (there, back, again, there)}
    assert len(ids) == 3


def test_a_deleted_branch_and_a_deleted_tag_are_stated_without_commits() -> None:
    branch = statement("push", push([], after=NOBODY, ref="refs/heads/topic"))
    assert (branch.source_type, branch.title) == ("branch.deleted", "[Branch Deleted] topic")
    assert branch.subject.key == "github:branch:1:topic"
    tag = statement("push", push([], after=NOBODY, ref="refs/tags/v1"))
    assert (tag.source_type, tag.subject.key, tag.branch) == (
        "tag.deleted",
        "github:tag:1:v1",
        None,
    )


def test_a_tag_is_an_observation_and_points_at_its_commit_not_at_the_tag_object() -> None:
    head = commit("Release")
    payload = push([], before=NOBODY, after=sha("tag object"), ref="refs/tags/v1")
    payload["head_commit"] = head
    result = statement("push", payload)
    assert result.source_type == "tag.created"
    assert edges(result) == {("github:tag:1:v1", "contains", key(head))}
    moved = {**payload, "before": sha("old tag"), "forced": True}
    assert statement("push", moved).source_type == "tag.moved"


def test_a_ref_that_is_neither_a_branch_nor_a_tag_is_filtered() -> None:
    notes = read("push", push(ref="refs/notes/commits"))
    assert notes == Filtered("ref refs/notes/commits is neither a branch nor a tag")


def test_a_push_without_ref_or_repository_is_parked() -> None:
    for part in ("ref", "repository"):
        reading = read("push", {**push(), part: None})
        assert isinstance(reading, Parked)
        assert part in reading.reason


def test_a_commit_without_id_or_time_is_left_out_and_the_others_stay() -> None:
    good = commit("Good")
    timeless = commit("Timeless", at="soon")
    payload = push([{"message": "no id"}, timeless, good])
    results = statements("push", payload)
    told = [result.subject.key for result in results if result.source_type == "commit.pushed"]
    assert told == [key(good)]


def test_an_old_owner_without_login_still_names_the_repository() -> None:
    payload = push()
    payload["repository"].pop("full_name")
    payload["repository"]["owner"] = {"name": "acme", "email": "a@acme.test"}
    result = statement("push", payload)
    assert result.scope is not None
    assert result.scope.repository_name == "acme/shop"


def test_a_repository_of_an_enterprise_server_is_not_its_namesake_on_github() -> None:
    payload = push()
    payload["repository"]["html_url"] = "https://git.acme.test/acme/shop"
    result = statement("push", payload)
    assert result.scope is not None
    assert result.scope.host == "git.acme.test"
