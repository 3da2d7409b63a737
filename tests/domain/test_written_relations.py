"""Closing words, references and duplicates, with the forms that only look like them."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from lightfast_pipelines.domain import key_categories, keys
from lightfast_pipelines.domain.events import Account, AccountKind, Thing
from lightfast_pipelines.domain.written_relations import read_links
from tests.domain.statements import pull_request

KINDS: tuple[AccountKind, ...] = ("person", "bot")
SHA = "0123456789abcdef0123456789abcdef01234567"


def told(text: str) -> list[tuple[str, str]]:
    """The edges without candidates, which test_candidates.py tests."""
    edges = read_links(pull_request(text)).edges
    return [
        (edge.type, edge.object.key.removeprefix("github:ref:"))
        for edge in edges
        if not key_categories.is_candidate(edge.object.key)
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Fixes #12",
        "fixed #12",
        "fix #12.",
        "FIXED: #12",
        "closes : #12",
        "closes:#12",
        "fix: #12",
        "resolve octo/repo#12",
        "Resolves GH-12",
        "closes gh-12,",
        "Closes\n#12",
        "**Fixes** #12",
        "_Fixes_ #12",
        "Fixes <https://github.com/Octo/Repo/issues/12>",
        "fixes https://api.github.com/repos/Octo/Repo/issues/12",
        "(fixes #12)",
        "Fixes: https://github.com/Octo/Repo/issues/12",
        "fixes https://github.com/Octo/Repo/pull/12#issuecomment-7 for good",
        "Fixes [#12](https://github.com/Octo/Repo/issues/12)",
        "fixes Repo#12",
        "doesn't fix #12",  # GitHub closes it, whatever was meant
    ],
)
def test_closing_words_in_all_their_forms_fix(text: str) -> None:
    assert told(text) == [("fixes", "octo/repo#12")]


@pytest.mark.parametrize(
    ("text", "fixed"),
    [
        ("Fixes #1, #2", "12"),
        ("Fixes #1 and #2", "12"),
        ("Fixes #1, #2, and #3", "123"),
        ("closes #1, closes #2", "12"),
        ("Fixes #1 & #2", "12"),
        ("Fixes #1\n#2", "12"),
    ],
)
def test_a_list_after_a_closing_word_is_fixed_as_a_whole(text: str, fixed: str) -> None:
    assert told(text) == [("fixes", f"octo/repo#{number}") for number in fixed]


@pytest.mark.parametrize(
    "text",
    [
        "prefixes #1",
        "hotfix #1",
        "fixes issue #1",
        "fix for #1",
        "Handle close (#1)",
        "Fixes\n\n#1",
        "see #1",
        "#1",
        "Merge pull request #1 from someone/fix-issue-#3",
        'Revert "Fixes #1"',
    ],
)
def test_other_mentions_of_a_number_are_references(text: str) -> None:
    assert told(text) == [("references", "octo/repo#1")]


def test_after_a_list_a_further_number_is_only_a_reference() -> None:
    assert told("Fixes #1, see #2\n\n#3") == [
        ("fixes", "octo/repo#1"),
        ("references", "octo/repo#2"),
        ("references", "octo/repo#3"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "fixes utf-8",
        "Fixes UTF-8, SHA-256 and CVE-2024-1234",
        "fixes PEP-8",
        "ABC-12 without a closing word",
        "`fixes #1`",
        "``fixes `x` #1``",
        "```\nfixes #1\n```",
        "~~~ text\nfixes #1",
        "> fixes #1\n> and #2",
        "<!-- Fixes #1 -->",
        "<blockquote>fixes #1</blockquote>",
        "it&#39;s",
        "page#1 other/#2 a#b",
        "colour #00ff00, version #1.5",
        "https://example.com/Octo/Repo/issues/1",
        "https://redirect.github.com/vitejs/vite/issues/1",
        "fixes #99, which is this one, https://github.com/octo/repo/pull/99",
        f"This reverts nothing, not even {SHA[:6]}",
        "Say 'TestClient(app)' (#1…",  # a title that GitHub cut in the middle of a number
    ],
)
def test_words_that_only_look_like_a_link_make_no_edge(text: str) -> None:
    assert told(text) == []


def test_a_link_counts_for_its_address_not_for_its_text() -> None:
    text = "- Fix crash ([#12](https://github.com/vitejs/vite/issues/12))"
    assert told(text) == [("references", "vitejs/vite#12")]


def test_duplicates_are_distinguished_from_possible_ones() -> None:
    assert told("Duplicate of #4") == [("duplicates", "octo/repo#4")]
    assert told("This duplicates o/r#4") == [("duplicates", "o/r#4")]
    assert told("Possible duplicate of #4, not a duplicate of #5") == [
        ("references", "octo/repo#4"),
        ("references", "octo/repo#5"),
    ]


def test_linear_identifiers_count_after_closing_words_or_in_brackets() -> None:
    (edge,) = read_links(pull_request("resolved LIN-9")).edges
    assert (edge.type, edge.object.key, edge.method) == ("fixes", "linear:ref:LIN-9", "text")
    (title,) = read_links(pull_request("[LIN-9] Sign in")).edges
    assert title.type == "references"
    assert title.confidence < edge.confidence < 1


@pytest.mark.parametrize(
    ("text", "alias"),
    [
        ("Fixes SHOP-1A", "SHOP-1A"),
        ("fixes FRONT-END-9.", "FRONT-END-9"),
        ("Resolves Sentry SHOP-12", "SHOP-12"),
        ("closes sentry issue SHOP-12", "SHOP-12"),
        ("Fixes CHECKOUTSERVICE-12", "CHECKOUTSERVICE-12"),
        ("Fixes https://acme.sentry.io/issues/4711/", "sentry.io/issue:4711"),
        (
            "fixes https://sentry.io/organizations/acme/issues/4711/events/ab12/",
            "sentry.io/issue:4711",
        ),
        ("fixes https://sentry.io/acme/shop/issues/4711/?query=is", "sentry.io/issue:4711"),
        ("fixes https://acme.sentry.io/issues/SHOP-AB/", "sentry.io/acme/SHOP-AB"),
        ("fixes https://acme.sentry.io/issues/my-app-2-1a.", "sentry.io/acme/MY-APP-2-1A"),
        (
            "fixes <https://sentry.acme.dev/organizations/acme/issues/4711/>",
            "sentry.acme.dev/issue:4711",
        ),
        (
            "fixes [it](https://bugs.acme.dev/organizations/acme/issues/SHOP-1A/)",
            "bugs.acme.dev/acme/SHOP-1A",
        ),
    ],
)
def test_an_issue_that_can_only_be_sentrys_is_resolved(text: str, alias: str) -> None:
    assert told(text) == [("resolves", f"sentry:ref:{alias}")]


def test_a_name_that_linear_and_sentry_share_can_be_found_by_either() -> None:
    (edge,) = read_links(pull_request("fixes SHOP-12")).edges
    assert edge.type == "fixes"
    assert edge.object.key == keys.linear_issue_by_identifier("SHOP-12")
    assert edge.object.aliases == (keys.sentry_issue_by_short_id("SHOP-12"),)


def test_an_address_of_sentry_without_a_closing_word_is_a_reference() -> None:
    assert told("see https://acme.sentry.io/issues/4711/") == [
        ("references", "sentry:ref:sentry.io/issue:4711")
    ]


@pytest.mark.parametrize(
    "text",
    [
        "fixes AES-256-GCM",
        "fixes CI-CD",
        "fixes TOP-LEVEL",
        "fixes X86-64",
        "fixes ISO-8859-1",
        "fixes CVE-2024-1234",
        "fixes UTF-16LE",
        "fixes GPT-4K",
        "FRONT-END-9 without a closing word",
        "fixes https://docs.sentry.io/product/issues/",
        "fixes https://sentry.io/organizations/acme/issues/",
        "fixes https://notsentry.io/issues/4711/",
        "fixes https://acme.sentry.io/issues/errors-outages/",
        "fixes https://acme.sentry.io/issues/views/12/",
        "fixes https://tracker.acme.dev/projects/shop/issues/4711",
        "fixes src/SHOP-1A",
    ],
)
def test_words_that_only_look_like_sentrys_make_no_edge(text: str) -> None:
    assert told(text) == []


def test_a_number_of_the_same_repository_can_be_found_by_its_id_after_a_rename() -> None:
    own, other = (edge.object for edge in read_links(pull_request("#1 and o/r#2")).edges)
    assert own.aliases == (keys.github_number_by_id(1, 1),)
    assert other.aliases == ()


def test_closing_words_that_do_not_count_make_references() -> None:
    released = pull_request("Notes", content="Fixes #1, #2", link_text=None)
    assert {edge.type for edge in read_links(released).edges} == {"references"}


def test_without_a_repository_a_bare_number_means_nothing() -> None:
    elsewhere = pull_request("Fixes #1 and o/r#2", scope=None)
    assert [edge.object.key for edge in read_links(elsewhere).edges] == ["github:ref:o/r#2"]


def test_a_revert_names_its_commit_and_a_short_id_is_only_mentioned() -> None:
    commit = replace(
        pull_request(f"Undo\n\nThis reverts commit {SHA}. See 89abcde, 1234567 or deadbee."),
        subject=Thing(keys.github_commit("f" * 40)),
    )
    links = read_links(commit)
    assert [(e.type, e.object.key) for e in links.edges] == [("reverts", keys.github_commit(SHA))]
    assert [m.thing.key for m in links.mentions] == [keys.github_short_sha("89abcde")]


def test_evidence_is_cut_from_the_original_text() -> None:
    (edge,) = read_links(pull_request("`code` " * 20 + "Fixes #1 `x`")).edges
    assert edge.evidence is not None
    assert edge.evidence.startswith("…")
    assert edge.evidence.endswith("`code` Fixes #1 `x`")


RELEASE_NOTES = """Bumps left-pad.

<details>
<summary>Release notes</summary>
<ul><li>Fixes #12</li></ul>
<details><summary>More</summary>closes #13</details>
Closes stevemao/left-pad#34, fixes [#14](https://github.com/Octo/Repo/issues/14)
</details>

Fixes #15
"""


@pytest.mark.parametrize("kind", ["bot", "person"])
def test_folded_release_notes_close_nothing_and_their_bare_numbers_are_another_projects(
    kind: AccountKind,
) -> None:
    statement = pull_request(RELEASE_NOTES, author=Account("github", "7", kind=kind))
    edges = [(edge.type, edge.object.name) for edge in read_links(statement).edges]
    assert edges == [
        ("references", "stevemao/left-pad#34"),
        ("references", "Octo/Repo#14"),
        ("fixes", "Octo/Repo#15"),
    ]


def test_a_part_that_a_person_folds_counts_but_one_that_a_robot_folds_does_not() -> None:
    text = "<details><summary>Screenshots</summary>Fixes #12</details>"
    by = {kind: pull_request(text, author=Account("github", "7", kind=kind)) for kind in KINDS}
    assert [edge.type for edge in read_links(by["person"]).edges] == ["fixes"]
    assert read_links(by["bot"]).edges == ()


def test_an_address_of_the_api_and_a_commit_after_its_repository_count_as_on_github() -> None:
    assert told("see https://api.github.com/repos/acme/web/pulls/3") == [
        ("references", "acme/web#3")
    ]
    assert told("see github.com/acme/web/pull/3") == [("references", "acme/web#3")]
    assert told("see notgithub.com/acme/web/pull/3 and x.github.com/acme/web/pull/3") == []
    assert told("https://github.com/acme/web/pulls/3 https://api.github.com/acme/web/pull/3") == []
    mentions = read_links(pull_request(f"uses acme/web@{SHA}, not ann@{SHA[:9]}.dev")).mentions
    assert [mention.thing.key for mention in mentions] == [keys.github_commit(SHA)]


def test_an_address_at_another_host_is_a_candidate_that_only_a_known_server_claims() -> None:
    text = "Fixes https://ghe.acme.dev/plat/billing/issues/9, not https://sentry.io/a/b/issues/9"
    (edge, other) = read_links(pull_request(text)).edges
    assert (edge.type, edge.object.aliases) == (
        "fixes",
        (keys.github_number_by_name("plat/billing", 9, "ghe.acme.dev"),),
    )
    assert key_categories.is_candidate(edge.object.key)
    assert other.object.key.startswith("sentry:")


def test_a_managed_login_of_an_enterprise_owns_repositories_too() -> None:
    for form in ("ann_acme/tool#5", "https://github.com/ann_acme/tool/issues/5"):
        assert told(f"Fixes {form}") == [("fixes", "ann_acme/tool#5")]
