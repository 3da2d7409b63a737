"""Covers code, quotations and comments of a text before links are searched in it.

Offsets do not change, so that evidence can be cut from the original text.
"""

from __future__ import annotations

import re

# Replaces covered characters: neither a space nor part of a word, so that nothing joins across it.
COVER = "\ufffc"

# The first line of a fence has no backtick after the fence (CommonMark 4.5).
_FENCE = re.compile(r"^[ \t]*(?P<fence>`{3,}+|~{3,}+)[^`\n]*\n", re.MULTILINE)
_FENCE_END = re.compile(r"^[ \t]*(?P<fence>`{3,}+|~{3,}+)[`~]*[ \t\r]*$", re.MULTILINE)
_QUOTE = re.compile(r"^[ \t]{0,3}>.*$", re.MULTILINE)
_BLOCKQUOTE = re.compile(r"<blockquote\b.*?(?:</blockquote>|\Z)", re.DOTALL | re.IGNORECASE)
_HTML_CODE = re.compile(
    r"<(?P<open>pre|code|samp)\b[^<>\n]*>|</(?P<close>pre|code|samp)>", re.IGNORECASE
)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
# Neither tag extends past the next `<`: 200 KB of `<details` without an end took 36 s.
_DETAILS = re.compile(r"<(?P<end>/?)details\b[^<>\n]*>", re.IGNORECASE)
# Parts that Dependabot, Renovate and coding agents fold: quotes from other projects, or of the prompt.
_OF_OTHERS = re.compile(
    r"\s*<summary\b[^<>\n]*>\s*(?:<[^<>\n]*>\s*){0,10}(?:release[ ]notes|change[ ]?log|commits\b|upgrade[ ]guide"
    r"|vulnerabilit|maintainer[ ]changes|original[ ](?:prompt|issue)|[\w.-]+/[\w.-]+[ ]\()",
    re.IGNORECASE,
)
_TICKS = re.compile(r"`+|\n[ \t\r]*\n")


def _covered(match: re.Match[str]) -> str:
    return COVER * (match.end() - match.start())


def _cover_fences(text: str) -> str:
    """Covers fenced blocks, up to a fence that is at least as long, or to the end where there is none.

    Not by one regular expression, which would try every fence with every line after it.
    """
    pieces: list[str] = []
    position = 0
    while (opening := _FENCE.search(text, position)) is not None:
        fence = opening["fence"]
        # The next line may close a fence, and each line is read once.
        closings = _FENCE_END.finditer(text, opening.end())
        end = next(
            (closing.end() for closing in closings if closing["fence"].startswith(fence)), len(text)
        )
        pieces += (text[position : opening.start()], COVER * (end - opening.start()))
        position = end
    pieces.append(text[position:])
    return "".join(pieces)


def _cover_html_code(text: str) -> str:
    """Covers the text between a code tag and the next end of the same tag."""
    pieces: list[str] = []
    position, opened, name = 0, -1, ""
    tags = list(_HTML_CODE.finditer(text))
    last_ends = {tag["close"].lower(): tag.start() for tag in tags if tag["close"]}
    for tag in tags:
        if opened < 0 and tag["open"]:
            if last_ends.get(tag["open"].lower(), -1) >= tag.end():
                opened, name = tag.start(), tag["open"].lower()
        elif opened >= 0 and tag["close"] and tag["close"].lower() == name:
            pieces += (text[position:opened], COVER * (tag.end() - opened))
            position, opened = tag.end(), -1
    pieces.append(text[position:])
    return "".join(pieces)


def _cover_inline(text: str) -> str:
    """Covers inline code: a run of backticks up to the next run of the same length in its paragraph."""
    runs = list(_TICKS.finditer(text))
    pieces: list[str] = []
    position = 0
    # The position of the next run of that length, per paragraph, searched from the end: linear time.
    following: list[int | None] = [None] * len(runs)
    ahead: dict[int, int] = {}
    for index in range(len(runs) - 1, -1, -1):
        run = runs[index]
        if run[0][0] == "\n":
            ahead = {}
            continue
        length = run.end() - run.start()
        following[index] = ahead.get(length)
        ahead[length] = index
    index = 0
    while index < len(runs):
        closing = following[index]
        if closing is None:
            index += 1
            continue
        start, end = runs[index].start(), runs[closing].end()
        pieces += (text[position:start], COVER * (end - start))
        position = end
        index = closing + 1
    pieces.append(text[position:])
    return "".join(pieces)


def cover(text: str) -> str:
    """The text with code blocks, inline code, quoted lines and HTML comments covered, same length."""
    if "<!--" in text:
        text = _COMMENT.sub(_covered, text)
    if "```" in text or "~~~" in text:
        text = _cover_fences(text)
    if "<blockquote" in text:
        text = _BLOCKQUOTE.sub(_covered, text)
    if "</" in text:
        text = _cover_html_code(text)
    if ">" in text:
        text = _QUOTE.sub(_covered, text)
    if "`" in text:
        text = _cover_inline(text)
    return text


def folded(text: str, *, by_robot: bool) -> list[tuple[int, int]]:
    """The folded spans (`<details>`) that only quote.

    Everything that a robot folds counts; of what a person folds, only spans whose summary says that
    they quote.
    """
    spans: list[tuple[int, int]] = []
    depth, start, inside = 0, 0, 0
    for tag in _DETAILS.finditer(text):
        if not tag["end"]:
            if depth == 0:
                start, inside = tag.start(), tag.end()
            depth += 1
        elif depth:
            depth -= 1
            if depth == 0 and (by_robot or _OF_OTHERS.match(text, inside)):
                spans.append((start, tag.end()))
    if depth and (by_robot or _OF_OTHERS.match(text, inside)):
        spans.append((start, len(text)))  # cut off in the middle
    return spans


# Ways to write an address: `[SHOP-1A](https://...)`, `<https://...>`, `<a href="https://...">`.
_BEFORE_LINK = re.compile(r"(?:\[[^\[\]\n]{1,200}\]\(|<a\s+href=[\"']|<)$", re.IGNORECASE)
_LONGEST_BEFORE = 210


def link_start(text: str, start: int) -> int:
    """The start of the link whose address begins at `start`."""
    before = _BEFORE_LINK.search(text, max(0, start - _LONGEST_BEFORE), start)
    return before.start() if before else start


def excerpt(text: str, start: int, end: int, around: int = 50) -> str:
    """The words around a match, on one line, with ellipses where they were cut."""
    first, last = max(0, start - around), min(len(text), end + around)
    words = " ".join(text[first:last].split())
    return f"{'…' if first else ''}{words}{'…' if last < len(text) else ''}"
