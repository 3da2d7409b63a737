"""Documents are divided by their headings; each part says where in the file it is."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightfast_pipelines.domain.document_chunks import (
    OVERLAP,
    TARGET,
    Chunk,
    UnreadableDocumentError,
    chunk_document,
)


def chunks(path: str, text: str) -> list[Chunk]:
    return list(chunk_document(path, text.encode()).chunks)


def where(path: str, text: str) -> list[tuple[tuple[str, ...], int, int]]:
    return [(each.heading_path, each.first_line, each.last_line) for each in chunks(path, text)]


def test_each_section_is_a_part_with_the_headings_above_it() -> None:
    text = """Before.

# Guide

Intro.

## Install **now**

Do `this`.

```sh
# not a heading
```

> # Quoted

### Deep

Down.

Usage
-----

Run it.

## Empty
"""
    assert where("guide.md", text) == [
        ((), 1, 1),
        (("Guide",), 3, 5),
        (("Guide", "Install now"), 7, 15),
        (("Guide", "Install now", "Deep"), 17, 19),
        (("Guide", "Usage"), 21, 24),
    ]
    assert chunk_document("guide.md", text.encode()).title == "Guide"


def test_front_matter_names_the_title_and_is_no_text() -> None:
    text = "---\ntitle: 'How to pay'\ntags: [a]\n---\n\n# Paying\n\nBy card.\n"
    assert where("pay.mdx", text) == [(("Paying",), 6, 8)]
    assert chunk_document("pay.mdx", text.encode()).title == "How to pay"
    assert where("rule.md", "---\n\nA.\n\n---\n\n# B\n\nC.\n") == [((), 1, 5), (("B",), 7, 9)]


def test_headings_of_restructured_text_are_its_underlined_lines() -> None:
    text = """=====
Guide
=====

Intro.

Install
=======

Do this.

Details
-------

More.

Usage
=====

Run it.
"""
    assert where("guide.rst", text) == [
        (("Guide",), 1, 5),
        (("Guide", "Install"), 7, 10),
        (("Guide", "Install", "Details"), 12, 15),
        (("Guide", "Usage"), 17, 20),
    ]
    assert chunk_document("guide.rst", text.encode()).title == "Guide"


def test_plain_text_is_one_section_and_named_by_its_file() -> None:
    assert where("docs/notes.txt", "# 1\n\nTwo\n===\n") == [((), 1, 4)]
    assert chunk_document("docs/notes.txt", b"hello").title == "notes.txt"


def test_a_paragraph_that_markdown_takes_for_a_heading_is_not_lost() -> None:
    text = "# A\n\nOne line\nand another.\nAnd a third.\n---\n\n## B\n\nText.\n"
    assert where("a.md", text)[0][1:] == (3, 6)
    long = "word " * 50
    assert where("a.md", f"# A\n\n## {long}\n\n## B\n\nText.\n")[0][1:] == (3, 3)


def test_a_document_of_headings_alone_is_one_part() -> None:
    assert where("a.md", "# A\n\n## B\n") == [((), 1, 3)]
    assert chunks("a.md", "\n \n") == []


def test_a_long_section_becomes_parts_that_overlap_and_end_with_a_line() -> None:
    lines = [f"Line {number} says something about payments." for number in range(300)]
    parts = chunks("a.md", "# Pay\n\n" + "\n".join(lines) + "\n")
    assert len(parts) > 3
    for part, following in pairwise(parts):
        assert part.text.endswith("payments.")
        assert TARGET // 2 < part.tokens <= TARGET
        shared = part.last_line - following.first_line + 1
        assert 1 <= shared <= OVERLAP / 6
        assert part.heading_path == ("Pay",)
    assert parts[-1].last_line == 302


def test_a_line_without_end_is_cut_too() -> None:
    parts = chunks("a.md", "word " * 2_000)
    assert [part.tokens for part in parts[:-1]] == [TARGET] * (len(parts) - 1)
    assert {(part.first_line, part.last_line) for part in parts} == {(1, 1)}


def test_a_secret_is_masked_before_anything_is_divided_and_lines_stay_where_they_are() -> None:
    key = "\n".join(
        ["-----BEGIN PRIVATE KEY-----", *["MIIE" * 16] * 20, "-----END PRIVATE KEY-----"]
    )
    parts = chunks("a.md", f"# Key\n\nUse:\n\n{key}\n\n## After\n\nDone.\n")
    assert "MIIE" not in "".join(part.text for part in parts)
    assert [(part.first_line, part.last_line) for part in parts][-1] == (28, 30)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"a\0b", "it holds zero bytes"),
        (b"one\ntw\xff\n", "line 2 is not UTF-8"),
        (b"# a\n\nb\n" * 2_501, "it has more than 2,500 parts"),
    ],
)
def test_what_cannot_be_divided_says_why(content: bytes, why: str) -> None:
    with pytest.raises(UnreadableDocumentError, match=why):
        chunk_document("a.md", content)


@given(
    st.lists(
        st.sampled_from(["# A", "## B", "text " * 40, "", "```", "> q", "- x", "---", "T\n==="])
    )
)
def test_every_part_is_in_the_lines_that_it_names_and_no_word_is_lost(lines: list[str]) -> None:
    text = "\n".join(lines)
    file_lines = text.split("\n")
    parts = chunks("a.md", text)
    for part in parts:
        assert part.text in "\n".join(file_lines[part.first_line - 1 : part.last_line])
        assert 0 < part.tokens <= TARGET
    covered = {line for part in parts for line in range(part.first_line, part.last_line + 1)}
    with_text = {
        n for n, line in enumerate(file_lines, start=1) if line.startswith(("text", "> q", "- x"))
    }
    assert with_text <= covered
