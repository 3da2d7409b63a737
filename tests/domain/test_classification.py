"""Categories and topics: who decides first, and no half words."""

from __future__ import annotations

from typing import Any

import pytest

from lightfast_pipelines.domain.category_features import features, kind_of_path, stem
from lightfast_pipelines.domain.category_model import SHIPPED
from lightfast_pipelines.domain.classification import CATEGORIES, conventional_prefix
from lightfast_pipelines.domain.classification_weights import BIAS, LEARNED, WEIGHTS
from lightfast_pipelines.domain.enrichment import enrich
from lightfast_pipelines.domain.events import Reference
from tests.domain.statements import pull_request


def category(title: str, **fields: Any) -> str:
    return enrich(pull_request(title, **fields)).category


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("[PR Merged] fix(auth)!: drop sessions", "bug_fix"),
        ("feat: fix nothing, test nothing", "feature"),
        ("docs: security", "documentation"),
        ("chore(deps): bump x", "infrastructure"),
        ("Fix crash when the list is empty", "bug_fix"),
        ("Add support for dark mode", "feature"),
        ("Close XSS hole", "security"),
        ("Release v1.2.0", "release"),
        ("RFC on plugins", "discussion"),
        ("Speed up rendering, optimize layout", "performance"),
        ("Xyzzy", "other"),
        ("Merge branch 'main' into fix", "other"),
    ],
)
def test_a_title_says_what_kind_of_work_it_is(title: str, expected: str) -> None:
    assert category(title) == expected


def test_changed_files_decide_where_the_title_does_not() -> None:
    assert category("More of it", paths=("tests/test_a.py",)) == "testing"
    assert category("More of it", paths=("docs/a.md", "README.md")) == "documentation"
    assert category("More of it", paths=(".github/workflows/ci.yml",)) == "infrastructure"


def test_the_event_and_then_a_label_decide_before_words() -> None:
    assert category("Fix crash", source_type="release.published") == "release"
    assert category("Fix crash", source_type="deployment.error") == "deployment"
    labelled = (Reference("label", "Documentation"),)
    assert category("Fix crash", references=labelled) == "documentation"


def test_a_merge_is_classified_by_what_it_merges() -> None:
    message = "Merge pull request #3 from a/b\n\ndocs: say more"
    assert category(message.split("\n", maxsplit=1)[0], content=message) == "documentation"


@pytest.mark.parametrize("title", ["Note: this", "http://x", "Release: x y z: w", "fix this: now"])
def test_a_colon_alone_is_no_conventional_prefix(title: str) -> None:
    prefix = conventional_prefix(title)
    assert prefix is None or prefix.type == "release"


def test_topics_hold_no_half_words_and_no_provider_first() -> None:
    topics = enrich(pull_request("github: specific latest prefix")).topics
    assert not {"ci", "test", "fix"} & set(topics)
    assert topics[0] not in {"github", "pull-request.opened"}


def test_topics_begin_with_category_scope_and_labels() -> None:
    statement = pull_request("feat(parser): read tables", references=(Reference("label", "Area"),))
    topics = enrich(statement).topics
    assert topics[:3] == ("feature", "parser", "area")
    assert {"read", "tables"} <= set(topics)


def test_the_shipped_weights_fit_the_categories_and_the_features() -> None:
    assert set(LEARNED) <= set(CATEGORIES)
    assert {len(weights) for weights in WEIGHTS.values()} == {len(LEARNED)} == {len(BIAS)}
    assert features("Fix tests", ("tests/a.py",)) & WEIGHTS.keys()


@pytest.mark.parametrize("form", ["fix", "fixes", "fixed", "fixing"])
def test_the_forms_of_a_word_have_the_same_evidence(form: str) -> None:
    assert stem(form) == "fix"
    assert category(f"{form.title()} the list of open orders") == "bug_fix"


def test_the_same_title_means_different_work_in_different_files() -> None:
    assert category("Update the example", paths=("docs/guide.rst",)) == "documentation"
    assert category("Update the example", paths=("package-lock.json",)) == "infrastructure"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("web/cart.test.tsx", "test"),
        ("cmd/server/main_test.go", "test"),
        ("src/latest.py", "code"),
        ("src/specific/contest.py", "code"),
        (".github/workflows/release.yml", "ci"),
        ("services/api/Dockerfile", "ops"),
        ("uv.lock", "lock"),
        ("Pipfile", "dep"),
        ("CHANGELOG.md", "log"),
        ("docs/index.md", "doc"),
    ],
)
def test_a_path_has_the_kind_of_its_names_and_not_of_parts_of_them(path: str, kind: str) -> None:
    assert kind_of_path(path) == kind


def test_a_choice_does_not_depend_on_the_order_of_words_features_or_files() -> None:
    paths = ("src/a.py", "tests/test_a.py", "README.md")
    assert len({SHIPPED.choose("Handle empty carts", paths[n:] + paths[:n]) for n in range(3)}) == 1


def test_the_folder_that_most_files_share_is_a_topic() -> None:
    paths = ("plugins/jira/tasks/a.go", "plugins/jira/models/b.go", "go.mod")
    assert "jira" in enrich(pull_request("Read boards", paths=paths)).topics


@pytest.mark.parametrize(
    "paths",
    [
        ("repo/a.py", "repo/b.py"),
        ("src/lib/a.py",),
        ("cart/a.py", "checkout/b.py"),
        ("tests/2024/a.py",),
        (".github/workflows/ci.yml",),
    ],
)
def test_a_folder_that_says_nothing_about_the_work_is_no_topic(paths: tuple[str, ...]) -> None:
    """Named as the repository (octo/repo), or as the layout, or without most of the files."""
    statement = pull_request("Read boards", paths=paths)
    assert set(enrich(statement).topics) <= {"read", "boards", enrich(statement).category}


@pytest.mark.parametrize(
    ("source_type", "title", "topic"),
    [
        ("deployment.promoted", "[Promoted] fix: crash in the cart", "bug_fix"),
        ("comment.created", "Fix crash when the list is empty", "bug_fix"),
        ("error.created", "TypeError while the docs are built", "documentation"),
        ("pull-request.opened", "docs: say how a crash is fixed", "bug_fix"),
        ("commit.pushed", "Test that the cache is faster now", "performance"),
    ],
)
def test_a_comment_has_no_topic_for_the_work_that_it_discusses(
    source_type: str, title: str, topic: str
) -> None:
    assert topic not in enrich(pull_request(title, source_type=source_type)).topics


def test_a_second_category_that_is_stated_becomes_a_topic() -> None:
    labelled = (Reference("label", "security"),)
    assert {"bug_fix", "security"} <= set(
        enrich(pull_request("fix: check the token", references=labelled)).topics
    )


@pytest.mark.parametrize("title", ["One", "Initial plan", "Settings screen"])
def test_a_category_guessed_from_files_alone_is_no_topic(title: str) -> None:
    enriched = enrich(pull_request(title, paths=("src/a.py",)))
    assert enriched.category not in enriched.topics
