"""What the commits of a push merge, bring, revert and pick: by who made them, and by their messages."""

from __future__ import annotations

from typing import Any

import pytest

from tests.providers.github.payloads import commit, push, sha, web_flow
from tests.providers.github.readings import accounts, edges, statement, statements


def key(seed: dict[str, Any]) -> str:
    return f"github:commit:{seed['id']}"


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
