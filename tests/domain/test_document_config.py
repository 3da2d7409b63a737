"""`lightfast.yml`: what it may say, and what each mistake is called and where it is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from lightfast_pipelines.domain.document_config import (
    MOST_BYTES,
    ConfigError,
    parse_config,
    patterns_of_settings,
)
from lightfast_pipelines.domain.document_patterns import DocumentPatterns

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"


def mistake(content: bytes) -> str:
    with pytest.raises(ConfigError) as raised:
        parse_config(content)
    return str(raised.value)


def test_it_names_what_is_included_and_excluded() -> None:
    content = b"\xef\xbb\xbf# Ours\nversion: 1\ninclude:\n  - 'docs/**'\n  - '*.md'\nexclude: [docs/old]\n"
    assert parse_config(content) == DocumentPatterns(("docs/**", "*.md"), ("docs/old",))
    assert parse_config(b'include: ["a.md"]') == DocumentPatterns(("a.md",))


def test_the_example_in_the_documentation_is_valid_and_names_what_it_says() -> None:
    [example] = re.findall(
        r"```yaml\n(include:.*?|# As in .*?)```", OPERATIONS.read_text(), re.DOTALL
    )
    patterns = parse_config(example.encode())
    paths = ["docs/a/b.md", "docs/archive/b.md", "README.md", "web/README.md", "lib/x/y.rst"]
    assert [path for path in paths if patterns.holds(path)] == [
        "docs/a/b.md",
        "README.md",
        "lib/x/y.rst",
    ]


@pytest.mark.parametrize(
    ("content", "begins"),
    [
        (b"", "line 1: it is empty"),
        (b"# nothing\n", "line 1: it is empty"),
        (b"- docs\n", "line 1: names with values are expected"),
        (b"docs\n", "line 1: names with values are expected"),
        (b"\nexclude: [a]\n", "line 2: 'include' is missing"),
        (b"include: []\n", "line 1: 'include' names nothing"),
        (b"\ninclude: docs\n", "line 2: 'include' is not a list of patterns"),
        (b"include:\n- a\n- 1\n", "line 3: a pattern of 'include' is not a text"),
        (b"include:\n- a\n- [b]\n", "line 3: a pattern of 'include' is not a text"),
        (b"include:\n- a\n-\n", "line 3: a pattern of 'include' is not a text"),
        (b"include: [a]\nexclude:\n- '!b'\n", "line 3: '!b': 'exclude' takes the place of '!'"),
        (b"include: ['..\\a']\n", "line 1: '..\\\\a': a path has / between its names"),
        (b"include: [../a]\n", "line 1: '../a': a path has / between its names"),
        (b"include: ['/']\n", "line 1: a pattern of 'include' is empty"),
        (b'include: ["a\\0b"]\n', "line 1: a pattern of 'include' is empty, longer"),
        (b"include: [" + b"a" * 201 + b"]\n", "line 1: a pattern of 'include' is empty, longer"),
        (b"include: [a]\ninclude: [b]\n", "line 2: 'include' is there twice"),
        (b"version: 2\ninclude: [a]\n", "line 1: the only version is 1"),
        (b"include: [a]\npaths: [b]\n", "line 2: 'paths' is not known; known: version, include, "),
        (b"? [a]\n: b\n", "line 1: 'a list' is not known"),
        (b"include: [a]\n---\ninclude: [b]\n", "line 2: but found another document"),
        (b"include:\n\t- a\n", "line 2: found character '\\t' that cannot start any token"),
        (b"include:\n- a\n- \x07\n", "line 3: a character that YAML does not allow"),
        (b"include:\n- caf\xe9\n", "line 2: it is not UTF-8"),
        (b"include: *unknown\n", "line 1: found undefined alias 'unknown'"),
        (
            b"include:\n- *.md\n",
            "line 2: expected alphabetic or numeric character, but found '.'; a pattern that begins with "
            "* is quoted",
        ),
        (b'include:\n- docs\n- "\\UFFFFFFFF"\n', "line 3: a number that YAML does not allow"),
        (b'include:\n- "\\U00110000"\n', "line 2: a number that YAML does not allow"),
        (b"%YAML 1." + b"9" * 5_000 + b"\n", "line 1: a number that YAML does not allow"),
    ],
)
def test_a_mistake_is_named_with_its_line(content: bytes, begins: str) -> None:
    assert mistake(content).startswith(begins)


@pytest.mark.parametrize(
    "content",
    [
        b"%s: x\n",
        b"include: ['!%s']\n",
        b"include: [*%s]\n",
        b"include: [docs/..\\%s]\n",
        # Long enough that the message cuts it in two.
        b"a name with spaces and then %s: x\n",
    ],
    ids=["name", "pattern", "alias", "path", "cut"],
)
def test_a_secret_in_the_file_is_masked_in_the_message(content: bytes) -> None:
    message = mistake(content % (b"ghp_" + b"a1B2" * 9))
    assert "a1B2" not in message
    assert "masked" in message


@pytest.mark.parametrize(
    "content",
    [
        b"a: &a [x,x,x,x]\n" + b"".join(b"b%d: &b%d [*a,*a]\n" % (n, n) for n in range(50)),
        b"include: &all [*all]\n",
        b"include: [!!python/object/apply:os.system ['true']]\n",
        b"[" * 10_000,
        b"{a: " * 8_000,
        b"include: [" + b"a, " * 10_000 + b"]\n",
        b"x" * (MOST_BYTES + 1),
    ],
    ids=["bomb", "itself", "object", "nested lists", "nested objects", "many", "large"],
)
def test_what_a_stranger_may_push_is_refused_and_builds_nothing(content: bytes) -> None:
    assert mistake(content)


def test_the_settings_of_an_integration_are_checked_like_the_file() -> None:
    assert patterns_of_settings({"include": ["docs"], "exclude": ["docs/x"]}) == DocumentPatterns(
        ("docs",), ("docs/x",)
    )
    wrong_ones: list[Any] = [
        [],
        {"include": []},
        {"include": "docs"},
        {"include": ["a"], "paths": []},
        {},
    ]
    for wrong in wrong_ones:
        with pytest.raises(ConfigError):
            patterns_of_settings(wrong)
