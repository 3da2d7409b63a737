"""Reverts lead to what they revert, and closing words in their quotations do not count."""

from __future__ import annotations

import pytest

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.written_relations import read_links
from tests.domain.statements import pull_request

SHA = "0123456789abcdef0123456789abcdef01234567"


def told(text: str) -> set[tuple[str, str]]:
    edges = read_links(pull_request(text)).edges
    return {(edge.type, edge.object.key.removeprefix("github:ref:octo/repo")) for edge in edges}


@pytest.mark.parametrize(
    "text",
    [
        "Reverts octo/repo#40",
        "This reverts pull request #40.",
        "This reverts PR #40",
        "Reverted #40, as it broke the checkout",
        "Revert of #40",
        "Reverts the changes made in #40",
        "Undo\n\nReverts: https://github.com/Octo/Repo/pull/40",
        'Revert "Steady cart (#40)"',
        'Revert "Revert "Dizzy cart (#39)" (#40)"',
        'Revert "Merge pull request #40 from octo/cart"',
        "[backport] Revert 'Steady cart (#40)'",
    ],
)
def test_a_revert_leads_to_the_pull_request_that_it_names(text: str) -> None:
    assert ("reverts", "#40") in told(text)


def test_a_revert_of_several_leads_to_each() -> None:
    assert told("Reverts #40, #41 and #42") == {("reverts", f"#{n}") for n in (40, 41, 42)}
    assert told("Reverts:\n- #40\n- #41") == {("reverts", "#40"), ("reverts", "#41")}
    commits = {("reverts", keys.github_short_sha(sha)) for sha in ("0123abc", "4567def")}
    assert told("This reverts commits 0123abc and 4567def.") == commits


@pytest.mark.parametrize(
    "text",
    [
        "It was reverted in #40",
        "This does not revert #40",
        "We should revert #40",
        'Reapply "Steady cart (#40)"',
        'Revert "Revert "Steady cart (#40)""',
    ],
)
def test_words_that_revert_nothing_make_a_reference(text: str) -> None:
    assert told(text) == {("references", "#40")}


def test_a_revert_counts_only_where_closing_words_count() -> None:
    (edge,) = read_links(pull_request("", link_text=None, content="Reverts #40")).edges
    assert edge.type == "references"


@pytest.mark.parametrize(
    "text",
    [
        'Revert "Close #39: steady cart"\nReverts octo/repo#40',
        'Revert "Revert "Close #39: steady cart""',
        'Reapply "Close #39: steady cart"',
        "revert: fix(cart): close #39",
        "Revert Fix #39: steady cart",
        "Revert PR #40: close #39",
        'Merge pull request #41 from octo/revert-40\n\nRevert "Close #39: steady cart"',
        'Revert "Cart"\n\nThis reverts commit 0123abc.\n\nOriginal description:\nFixes #39',
        'Revert "Cart"\n\nThis reverts commit 0123abc.\n\nOriginal message: Fixes #39',
        'The title "Fixes #39" promised too much',
        "~~Fixes #39~~ It does not",
        "<pre>Fixes #39</pre>",
    ],
)
def test_quoted_closing_words_fix_nothing(text: str) -> None:
    assert not any(kind == "fixes" for kind, _ in told(text))


@pytest.mark.parametrize(
    "text",
    [
        'Revert "Steady cart" to fix #55',
        'Revert "Close #39: steady cart"\n\nReverts octo/repo#40\n\nFixes #55',
        "Revert the cursor on undo (fixes #55)",
        "Roll back the transaction on errors, fixes #55",
    ],
)
def test_a_reverts_own_closing_words_fix(text: str) -> None:
    assert ("fixes", "#55") in told(text)


def test_a_fix_that_the_same_squash_reverts_does_not_count() -> None:
    squashed = "Cycle 3\n\n* Close #21: cart\n\n* Close #22: till\n\n* Revert "
    undone = f'{squashed}"Close #22: till"\n\nThis reverts commit {SHA}.'
    assert {each for each in told(undone) if each[0] == "fixes"} == {("fixes", "#21")}
    back = f'{undone}\n\n* Reapply "Close #22: till"'
    assert ("fixes", "#22") in told(back)
    again = f"{undone}\n\n* Close #22: mend the till"
    assert ("fixes", "#22") in told(again)


def test_the_trailer_of_a_commit_that_the_same_squash_reverts_does_not_fix() -> None:
    text = 'Till\n\n* New till\n\nCloses #22\n\n* New cart\n\nCloses #21\n\n* Revert "New till"'
    assert {each for each in told(text) if each[0] == "fixes"} == {("fixes", "#21")}


def test_an_identifier_of_another_tracker_in_a_quoted_title_means_nothing() -> None:
    assert told('Revert "Fixes SHOP-12"') == set()
