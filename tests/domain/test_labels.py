"""Names of clusters: from content, never from the provider or a tag."""

from __future__ import annotations

from collections.abc import Iterable

from lightfast_pipelines.domain.consolidation import Happening, titled
from lightfast_pipelines.domain.labels import Label, Titled, clean, label_text
from lightfast_pipelines.domain.labels import Labeller as _Labeller

TITLES = [
    "[PR Merged] Retry webhooks that time out (#12)",
    "Retry webhooks after a time-out",
    "Merge pull request #12 from ann/retry-webhooks",
    "Update README",
    "Update README badges",
    "Bump version",
]


class Labeller:
    """Labels titles alone."""

    def __init__(self, titles: Iterable[str]) -> None:
        self._labeller = _Labeller(map(Titled, titles))

    def label(self, titles: Iterable[str]) -> Label:
        return self._labeller.label(list(map(Titled, titles)))


def test_a_label_is_made_of_titles_without_tags_numbers_and_merges() -> None:
    label = Labeller(TITLES).label(TITLES[:3])
    assert label.title in {"Retry webhooks that time out", "Retry webhooks after a time-out"}
    assert label.keywords[:2] == ("retry", "webhooks") or "retry" in label.keywords[:3]
    assert label == Labeller(reversed(TITLES)).label(TITLES[2::-1])


def test_the_providers_name_is_no_keyword_and_merges_alone_are_labelled_by_words() -> None:
    label = Labeller(TITLES).label(["Merge branch 'parser-fixes' of github"])
    assert "github" not in label.keywords
    assert not label.title.lower().startswith("merge")


def test_titles_that_say_nothing_still_get_a_label() -> None:
    assert Labeller([""]).label([""]).title == "untitled"
    assert Labeller(["..."]).label(["..."]).title == "..."
    assert len(Labeller(["x" * 200]).label(["x" * 200]).title) == 120
    assert clean("[PR] [WIP] [x] Do it (#7)") == "Do it"
    assert clean("[Errors] 41\u00d7 TypeError: no price") == "TypeError: no price"


def test_a_keyword_is_shared_by_titles_or_belongs_to_the_chosen_title() -> None:
    titles = [
        "Let the parser read tables",
        "Parser: tables already have headers",
        "The parser improved for nested tables",
        "Squeeze blank lines in ndarray examples",
    ]
    label = Labeller([*titles, "Update README", "Bump mkdocs"]).label(titles)
    assert set(label.keywords[:2]) == {"parser", "tables"}
    assert not {"let", "already", "improved", "squeeze", "ndarray"} & set(label.keywords)
    assert "tables" in label.title


def test_a_repeated_title_counts_once() -> None:
    titles = ["Retry webhooks", "Webhooks: retry twice", *["Paint the shed"] * 9]
    assert Labeller(titles).label(titles).keywords[:2] == ("retry", "webhooks")


def test_a_merges_branch_and_owner_are_no_keywords() -> None:
    titles = ["Merge pull request #7 from mraduldubey/patch-1", "Show the shell's display"]
    assert set(Labeller(titles).label(titles).keywords) == {"shell", "display"}


def test_a_cluster_of_routine_work_gets_a_label() -> None:
    assert Labeller(["Fix a typo"]).label(["Fix a typo"]).keywords == ("fix", "typo")


def _label(*members: Titled) -> Label:
    others = [Titled(f"Something else {n}", frozenset([f"file:else/{n}.py"])) for n in range(20)]
    return _Labeller([*members, *others]).label(members)


def test_titles_that_say_nothing_are_completed_by_the_file_or_the_folder_of_the_change() -> None:
    install = frozenset(["file:docs/install.md"])
    assert _label(Titled("Fix a typo", install)).title == "Fix a typo (docs/install.md)"
    usage = frozenset(["file:docs/usage.md"])
    assert _label(Titled("Fixes", install), Titled("Updates", usage)).title.endswith("(docs)")
    assert _label(Titled("Merge branch 'main'", install)).title.endswith("(docs/install.md)")


def test_the_name_of_a_file_that_many_members_touch_is_a_keyword() -> None:
    completer = frozenset(["file:core/completer.py", "file:core/tests/test_completer.py"])
    label = _label(Titled("Suggest keys", completer), Titled("Fewer wrong guesses", completer))
    assert "completer" in label.keywords
    assert "core" not in label.keywords


def test_words_that_always_come_together_are_one_keyword() -> None:
    titles = [
        "Input transformation: cells",
        "Test input transformation",
        "Input transformation API",
    ]
    label = _label(*map(Titled, titles))
    assert label.keywords[0] == "input transformation"
    assert not {"input", "transformation"} & set(label.keywords)


def test_a_pull_requests_title_stands_for_those_of_its_commits() -> None:
    commits = [Titled("Try it in the completer"), Titled("Completer: debug"), Titled("black")]
    request = Titled("Complete keys of dictionaries in the completer", is_of_item=True)
    assert _label(*commits, request).title == request.title


def test_plurals_count_with_their_singulars() -> None:
    titles = ["Batch the completion", "Cache completions", "Batches of completions"]
    label = _label(*map(Titled, titles))
    assert label.keywords[:2] == ("completions", "batch")


def test_kinds_addresses_closing_words_and_backports_are_no_part_of_a_label() -> None:
    for title, cleaned in {
        "fix(parser): read tables": "parser: read tables",
        "feat: read tables": "read tables",
        "Read tables. Fixes https://github.com/acme/shop/issues/841": "Read tables",
        "Read tables, fixes #841": "Read tables",
        "Read tables (closes acme/shop#841)": "Read tables",
        "Backport PR #841 on branch 7.x (Read tables)": "Read tables",
        "Backport PR #841: Read tables": "Read tables",
        "Fixes #841": "Fixes #841",
        "https://acme.dev": "https://acme.dev",
    }.items():
        assert label_text(title) == cleaned


def test_of_two_file_names_that_count_as_one_word_the_smaller_is_shown() -> None:
    # The order of a set differs from process to process: several pairs, so that none passes by luck.
    for word in ("parser", "lexer", "reader", "writer", "router", "worker"):
        files = frozenset([f"file:{word}.py", f"file:{word}s.py"])
        assert word in _label(Titled("One", files), Titled("Two", files)).keywords


def test_the_field_that_changed_is_no_part_of_a_label() -> None:
    assert (
        clean("[Issue Updated] CHK-31: Charge once (state: In Progress)") == "CHK-31: Charge once"
    )
    assert clean("Charge once (state: In Progress)") == "Charge once (state: In Progress)"


def test_a_comments_title_is_not_that_of_its_pull_request() -> None:
    pull_request, review = (
        Happening(f"github:pr:1#43|{transition}", "github:pr:1#43", 0.0, title)
        for transition, title in (
            ("opened|9", "[PR Opened] Let guests check out"),
            ("review.submitted|7", "[Changes Requested] #43: Limit the rate"),
        )
    )
    assert titled(pull_request).is_of_item
    assert not titled(review).is_of_item


def test_a_title_is_not_that_of_an_issue_if_it_is_about_a_part_with_a_key_of_its_own() -> None:
    issue, title = "linear:issue:31", "[Comment] CHK-31: Charge once, please"
    for part in ("linear:comment:7", "linear:reaction:7", "linear:attachment:7"):
        assert not titled(Happening(f"{part}|created", issue, 0.0, title)).is_of_item
    assert titled(Happening(f"{issue}|created", issue, 0.0, "[Issue Created] CHK-31")).is_of_item
