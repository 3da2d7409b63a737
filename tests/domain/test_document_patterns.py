"""Patterns name files as in `.gitignore`, in a time that does not grow with what they are made of."""

from __future__ import annotations

import pytest

from lightfast_pipelines.domain.document_patterns import DocumentPatterns, matches_any


@pytest.mark.parametrize(
    ("pattern", "named", "not_named"),
    [
        ("*.md", ["README.md", "a/b/c.md"], ["README.txt", "md"]),
        ("docs", ["docs/a.md", "x/docs/a.md"], ["docs.md", "mydocs/a.md"]),
        ("docs/", ["docs/a.md", "x/docs/a/b.md"], ["docs"]),
        ("/docs", ["docs/x/a.md"], ["x/docs/a.md"]),
        ("./README.md", ["README.md"], ["docs/README.md"]),
        ("docs/**", ["docs/a.md", "docs/a/b.md"], ["docs", "x/docs/a.md"]),
        ("docs/*.md", ["docs/a.md"], ["docs/x/a.md", "x/docs/a.md"]),
        ("docs/**/*.md", ["docs/a.md", "docs/x/y/a.md"], ["a.md", "docs/a.txt"]),
        ("**/guide/*.md", ["guide/a.md", "x/y/guide/a.md"], ["guide/x/a.md"]),
        ("a/**/b.md", ["a/b.md", "a/x/y/b.md"], ["a/b.md.md", "b.md"]),
        ("**", ["a.md", "a/b.md"], []),
        ("page-?.md", ["page-1.md"], ["page-10.md", "page-/.md"]),
        ("[ab].md", ["a.md", "x/b.md"], ["c.md"]),
        ("DOCS/*.md", ["DOCS/a.md"], ["docs/a.md"]),
    ],
)
def test_a_pattern_names_these_paths(pattern: str, named: list[str], not_named: list[str]) -> None:
    assert [path for path in named if not matches_any(path, [pattern])] == []
    assert [path for path in not_named if matches_any(path, [pattern])] == []


def test_only_text_files_that_are_named_and_not_excluded_are_documents() -> None:
    patterns = DocumentPatterns(("docs", "*.md"), ("docs/old/**",))
    paths = ["docs/a.MDX", "docs/a.png", "docs/old/a.md", "b.md", "src/c.rst", "docs/c.rst"]
    assert [path for path in paths if patterns.holds(path)] == ["docs/a.MDX", "b.md", "docs/c.rst"]


def test_a_path_that_no_index_holds_is_no_document() -> None:
    assert not DocumentPatterns(("**",)).holds("a/" * 400 + "a.md")


def test_a_hostile_pattern_is_compared_with_each_name_once() -> None:
    """As one regular expression it would be tried in more ways than there are atoms."""
    assert not matches_any("a" * 190 + "/" + "a" * 190, ["*a" * 60 + "b", "**/" * 60 + "b"])
