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


def test_a_merge_pushed_by_githubs_button_brings_its_pull_requests_commits() -> None:
    inner, nested = commit("Work"), commit("Merge pull request #3 from acme/part\n\nPart")
    merge = commit(
        "Merge pull request #12 from acme/cart\n\nAdd a cart", committer=web_flow(), modified=()
    )
    by_key = {each.subject.key: each for each in statements("push", push([inner, nested, merge]))}
    pull = "github:ref:acme/shop#12"
    assert (pull, "contains", key(inner)) in edges(by_key[key(inner)])
    assert (pull, "contains", key(nested)) in edges(by_key[key(nested)])
    assert ("github:ref:acme/shop#3", "merges_as", key(nested)) in edges(by_key[key(nested)])
    assert (pull, "merges_as", key(merge)) in edges(by_key[key(merge)])
    stub = next(edge.subject for edge in by_key[key(merge)].edges if edge.type == "merges_as")
    assert (stub.key, stub.aliases) == (pull, ("github:ref:1#12",))


@pytest.mark.parametrize(
    ("name", "email"),
    [
        ("GitHub Enterprise", "noreply@git.acme.test"),
        ("GitHub Enterprise", "no-reply@mail.acme.test"),
        ("GitHub", "noreply@acme.ghe.com"),
        ("GitHub", "NoReply@GitHub.com "),
    ],
)
def test_the_merge_button_of_an_enterprise_server_is_recognized_and_is_nobody(
    name: str, email: str
) -> None:
    button = {"name": name, "email": email}
    work, nested = commit("Work"), commit("Merge pull request #3 from acme/part\n\nPart")
    merge = commit("Merge pull request #12 from acme/cart\n\nCart", committer=button)
    by_key = {each.subject.key: each for each in statements("push", push([work, nested, merge]))}
    for brought in (work, nested):
        assert ("github:ref:acme/shop#12", "contains", key(brought)) in edges(by_key[key(brought)])
    assert accounts(by_key[key(merge)], "committer") == []


def test_a_person_of_githubs_name_stays_a_person() -> None:
    result = statement("push", push([commit(committer={"name": "GitHub", "email": "g@acme.test"})]))
    assert accounts(result, "committer") == ["GitHub <g@acme.test>"]


def test_the_button_is_a_bot_where_it_is_the_author_and_no_co_author() -> None:
    button = {"name": "GitHub Enterprise", "email": "noreply@git.acme.test"}
    message = "Merge\n\nCo-authored-by: GitHub <noreply@github.com>"
    result = statement("push", push([{**commit(message), "author": button}]))
    assert result.author is not None
    assert (result.author.kind, accounts(result, "co_author")) == ("bot", [])


def test_squashes_that_a_merge_queue_pushes_at_once_are_separate_merges() -> None:
    one, two = (commit(f"{name} (#{n})", committer=web_flow()) for name, n in (("A", 1), ("B", 2)))
    by_key = {each.subject.key: each for each in statements("push", push([one, two]))}
    for each, number in ((one, 1), (two, 2)):
        relations = {e for e in edges(by_key[key(each)]) if e[1] in ("contains", "merges_as")}
        assert relations == {(f"github:ref:acme/shop#{number}", "merges_as", key(each))}


def test_merges_that_a_merge_queue_pushes_at_once_do_not_contain_one_another() -> None:
    first, last = (
        commit(f"Merge pull request #{n} from acme/b{n}", committer=web_flow()) for n in (1, 2)
    )
    queue = {"id": 118344674, "login": "github-merge-queue[bot]", "type": "Bot"}
    for found in statements("push", push([first, commit("Work"), last], sender=queue)):
        assert all(edge.type != "contains" for edge in found.edges)


def test_a_merge_with_the_pull_requests_title_brings_its_commits_too() -> None:
    work = commit("Fix the cart (#5)")
    merge = commit("Mend the cart (#12)", committer=web_flow())
    by_key = {each.subject.key: each for each in statements("push", push([work, merge]))}
    of_pulls = {
        edge
        for each in by_key.values()
        for edge in edges(each)
        if edge[1] in ("contains", "merges_as")
    }
    assert of_pulls == {
        ("github:ref:acme/shop#12", "contains", key(work)),
        ("github:ref:acme/shop#12", "merges_as", key(merge)),
    }


def test_a_branch_that_is_updated_by_hand_is_not_the_merge_at_its_end() -> None:
    work = commit("Work", distinct=False)
    nested = commit("Merge pull request #1 from a/b", committer=web_flow(), distinct=False)
    merge = commit("Merge pull request #2 from a/c", committer=web_flow(), distinct=False)
    for found in statements("push", push([work, nested, merge])):
        assert all(edge.type != "contains" for edge in found.edges)


def test_several_merges_pushed_by_hand_do_not_say_which_commits_they_brought() -> None:
    first, work = commit("Merge pull request #1 from a/b"), commit("Work")
    last = commit("Merge pull request #2 from a/c")
    for found in statements("push", push([first, work, last])):
        assert all(edge.type != "contains" for edge in found.edges)


@pytest.mark.parametrize(
    ("title", "ref", "number"),
    [
        ("Add a cart (#12)", "refs/heads/main", 12),
        ('Revert "Add a cart (#12)" (#13)', "refs/heads/main", 13),
        ('Revert "Add a cart (#12)"', "refs/heads/main", None),
        ("See (#12) for more", "refs/heads/main", None),
        ("Add a cart (#12)", "refs/heads/topic", None),
    ],
)
def test_a_squash_title_on_the_default_branch_names_its_pull_request(
    title: str, ref: str, number: int | None
) -> None:
    result = statement("push", push([commit(f"{title}\n\nBody (#99)")], ref=ref))
    merges = [edge for edge in result.edges if edge.type == "merges_as"]
    if number is None:
        assert merges == []
    else:
        assert [(edge.subject.key, edge.confidence, edge.method) for edge in merges] == [
            (f"github:ref:acme/shop#{number}", 0.9, "squash title")
        ]


@pytest.mark.parametrize(
    ("message", "number"),
    [
        ("Merge #12\n\n12: Add a cart r=bob a=ada", 12),
        ("Auto merge of #12 - ada:cart, r=bob", 12),
        ("Merge acme/shop#12: Add a cart", 12),
        ("Merge acme/core#12: Add a cart", None),
        ("Merge #12 into the notes", None),
    ],
)
def test_merges_by_robots_and_scripts_name_their_pull_request(
    message: str, number: int | None
) -> None:
    cart = commit("Add a cart")
    results = statements("push", push([cart, commit(message)]))
    expected = {f"github:ref:acme/shop#{number}"} if number else set()
    assert {e.subject.key for e in results[1].edges if e.type == "merges_as"} == expected
    assert {e.subject.key for e in results[0].edges if e.type == "contains"} == expected


def test_gh_in_a_title_is_the_pull_request_where_githubs_button_wrote_it() -> None:
    title = "Add a cart (GH-12)"
    by_button = statement("push", push([commit(title, committer=web_flow())]))
    assert ("github:ref:acme/shop#12", "merges_as", by_button.subject.key) in edges(by_button)
    by_hand = statement("push", push([commit(title)]))
    assert [edge.type for edge in by_hand.edges] == ["on_branch"]


def test_the_numbers_of_a_subtree_belong_to_its_own_repository() -> None:
    message = "Squashed 'lib/' changes\n\n89abcde Fixes #3 (#9)\n\ngit-subtree-dir: lib"
    result = statement("push", push([commit(message)]))
    assert result.scope is not None
    assert not result.scope.has_numbers


def test_reverts_and_cherry_picks_name_their_commit_also_by_a_short_id() -> None:
    other = sha("other")
    message = (
        f"Revert\n\nThis reverts commit {other}.\n\n(cherry picked from commit {other[:9].upper()})"
    )
    result = statement("push", push([commit(message)]))
    assert {
        (result.subject.key, "reverts", f"github:commit:{other}"),
        (result.subject.key, "cherry_picks", f"github:ref:sha:{other[:9]}"),
    } <= edges(result)


def test_a_commit_that_is_cherry_picked_by_hand_is_not_the_merge_of_the_pull_request_in_its_title() -> (
    None
):
    message = f"Add a cart (#12)\n\n(cherry picked from commit {sha('original')})"
    by_hand = statement("push", push([commit(message)]))
    assert [edge.type for edge in by_hand.edges] == ["on_branch", "cherry_picks"]
    # A squash of a pull request that cherry-picks a commit has that pull request's own number.
    by_button = statement("push", push([commit(message, committer=web_flow())]))
    assert "merges_as" in {edge.type for edge in by_button.edges}


def test_a_message_that_is_quoted_in_another_reverts_nothing() -> None:
    other, quoted = sha("other"), sha("quoted")
    message = f"Undo\n\nThis reverts commit {other}.\n\n> This reverts commit {quoted}."
    result = statement("push", push([commit(message)]))
    reverted = {edge[2] for edge in edges(result) if edge[1] == "reverts"}
    assert reverted == {f"github:commit:{other}"}


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
