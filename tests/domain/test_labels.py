"""Names of clusters: from content, never from the provider or a tag."""

from __future__ import annotations

from lightfast_pipelines.domain.labels import Labeller, clean

TITLES = [
    "[PR Merged] Retry webhooks that time out (#12)",
    "Retry webhooks after a time-out",
    "Merge pull request #12 from ann/retry-webhooks",
    "Update README",
    "Update README badges",
    "Bump version",
]


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
