"""Finds the sections of a document: the lines under each heading, with the headings above.

Markdown's headings by markdown-it, which knows that `#` in a code block is none; reStructuredText's by
their underlines. Any other text is one section.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import pairwise
from typing import NamedTuple

from markdown_it import MarkdownIt

from lightfast_pipelines.domain.prose import plain

_LONGEST_HEADING = 200
# Between two lines that would be rules, if the first line in it names something.
_FRONT_MATTER = re.compile(
    r"\A---[ \t]*\n(?=[\w\"'-]+[ \t]*:|#)(?:.*?\n)??---[ \t]*(?:\n|\Z)", re.DOTALL
)
_FRONT_TITLE = re.compile(r"^title:[ \t]*(\S.{0,300})$", re.MULTILINE)
_LONGEST_FRONT_MATTER = 20_000
# A line of one sign: reStructuredText's underline and overline.
_ADORNMENT = re.compile(r"([=\-`:.'\"~^_*+#<>])\1{2,}[ \t]*")


class Section(NamedTuple):
    """The lines from a heading to the next; `first_line` counts from 1."""

    heading_path: tuple[str, ...]
    first_line: int
    text: str


class Outline(NamedTuple):
    """The sections of a document, and its title if it names one."""

    title: str | None
    sections: tuple[Section, ...]


class _Heading(NamedTuple):
    """A heading in lines from 0: where it begins and where its text does; 1 is the outermost level.

    Markdown takes a paragraph right above a rule for a heading, of which `text` may be only the beginning.
    """

    line: int
    body: int
    level: int
    text: str
    is_paragraph: bool = False


def read_sections(path: str, text: str) -> Outline:
    """The sections that have text besides their heading, or a heading that is a paragraph; all as one if
    there are none."""
    suffix = path.rpartition(".")[2].lower()
    title = None
    if suffix == "txt":
        headings: list[_Heading] = []
    elif suffix == "rst":
        headings = _underlined(text.split("\n"))
    else:
        title, text = _without_front_matter(text)
        headings = _of_markdown(text)
    lines = text.split("\n")
    sections = _divided(lines, headings)
    if not sections and text.strip():
        sections = [Section((), 1, text)]
    outermost = min((heading.level for heading in headings), default=0)
    first = next((each.text for each in headings if each.level == outermost), None)
    return Outline(title or first, tuple(sections))


def _divided(lines: list[str], headings: list[_Heading]) -> list[Section]:
    sections = []
    above: list[_Heading] = []
    begins = _Heading(0, 0, 0, "")
    for heading in (*headings, _Heading(len(lines), len(lines), 0, "")):
        has_text = any(line.strip() for line in lines[begins.body : heading.line])
        if has_text or begins.is_paragraph:
            text = "\n".join(lines[begins.line : heading.line]).rstrip()
            path = tuple(each.text for each in above if each.text)
            sections.append(Section(path, begins.line + 1, text))
        above = [each for each in above if each.level < heading.level]
        above.append(heading)
        begins = heading
    return sections


@cache
def _parser() -> MarkdownIt:
    # Paragraphs are not looked into: only headings count.
    return MarkdownIt("commonmark").disable("inline")


def _of_markdown(text: str) -> list[_Heading]:
    tokens = _parser().parse(text)
    headings = []
    for token, inner in pairwise(tokens):
        # One in a quotation or a list is not a heading of the document.
        if token.type == "heading_open" and token.level == 0 and token.map is not None:
            name = plain(inner.content)
            is_paragraph = "\n" in inner.content or len(name) > _LONGEST_HEADING
            begin, end = token.map
            level = int(token.tag[1:])
            headings.append(_Heading(begin, end, level, name[:_LONGEST_HEADING], is_paragraph))
    return headings


def _without_front_matter(text: str) -> tuple[str | None, str]:
    """The title in the front matter, and the text with empty lines in its place: Markdown would take the
    lines for a heading."""
    match = _FRONT_MATTER.match(text[:_LONGEST_FRONT_MATTER])
    if match is None:
        return None, text
    title = _FRONT_TITLE.search(match[0])
    stated = title[1].strip().strip("\"'") if title else None
    return (stated or None), "\n" * match[0].count("\n") + text[match.end() :]


def _underlined(lines: list[str]) -> list[_Heading]:
    """A sign's level is the order in which the document first uses it, with or without an overline."""
    headings: list[_Heading] = []
    levels: dict[tuple[str, bool], int] = {}
    for number in range(1, len(lines)):
        text, under = lines[number - 1].rstrip(), _ADORNMENT.fullmatch(lines[number])
        if under is None or not text.strip() or _ADORNMENT.fullmatch(text):
            continue
        over = number > 1 and lines[number - 2].rstrip() == lines[number].rstrip()
        if len(lines[number].rstrip()) < len(text) or (text.startswith(" ") and not over):
            continue
        level = levels.setdefault((under[1], over), len(levels) + 1)
        title = plain(text.strip())[:_LONGEST_HEADING]
        headings.append(_Heading(number - 1 - over, number + 1, level, title))
    return headings
