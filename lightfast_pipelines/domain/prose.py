"""Extracts sentences from titles and texts, without tags, trailers, markup and code.

`summaries.py` chooses among them.
"""

from __future__ import annotations

import re

from lightfast_pipelines.domain.labels import clean
from lightfast_pipelines.domain.markup import COVER, cover

LONGEST_SENTENCE = 220
_FEWEST_WORDS = 4

# Only this much of a text is read, because its beginning says what it is about.
_LONGEST_TEXT = 4_000
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,200}>")
_IMAGE = re.compile(r"!\[[^\]]{0,200}\]\([^()\s]{0,500}\)")
_LINK = re.compile(r"\[([^\[\]]{1,200})\]\([^()\s]{0,500}\)")
_URL = re.compile(r"<?\bhttps?://[^\s<>]+>?")
# Bounded, because a run of backticks without an end must not be tried at every length.
_EMPHASIS = re.compile(r"(\*{1,3}|~~|`{1,3})(?=\S)(.{1,300}?)(?<=\S)\1")
_MARKER = re.compile(r"^\s*(?:[-*+]|\d{1,3}[.)])\s+(?:\[[ xX]\]\s+)?")
_TRAILER = re.compile(
    r"^\s*(?:[A-Z][\w-]{1,30}-(?:by|By)|Co-Authored-By|Change-Id|Reviewed-on|Cc|CC|Backport PR"
    r"|(?:Fix(?:es)?|Close[sd]?|Resolve[sd]?|Refs?|See(?: also)?|Related(?: to)?)):?\s+\S+\s*$"
    r"|^\s*[A-Z][A-Za-z-]{2,30}-by:\s"
)
# Headings, rules, tables, quotations, and the check boxes of a template.
_NO_PROSE = re.compile(r"^\s*(?:#{1,6}\s|[-=*_]{3,}\s*$|\||>|[-*+]\s+\[[ xX]\]\s)")
_END = re.compile(r"(?<=[.!?])[\"')\]]{0,2}\s+(?=[\"'(\[]{0,2}[A-Z0-9])")
_ABBREVIATED = re.compile(r"(?:\b(?:e\.g|i\.e|etc|vs|cf|approx|[A-Z])|^\d+)\.$")
# The beginning of a comment's title, which names what it was written on.
_ABOUT = re.compile(r"^(?:[\w./-]*#\d+|[0-9a-f]{7}): ")
_SPACES = re.compile(r"\s+")
_WORD = re.compile(r"[^\W\d_]{2,}")


def sentence_of_title(title: str) -> str | None:
    """The title as a sentence; None if nothing is left of it."""
    return _sentence(plain(_ABOUT.sub("", clean(title))), fewest_words=1)


def first_sentence(title: str, content: str) -> str | None:
    """The first sentence of a text that says more than the title; None if there is none."""
    stem = _stem(plain(clean(title)))
    first, _, rest = content[:_LONGEST_TEXT].lstrip().partition("\n")
    # Most texts begin with their title.
    body = rest if stem and _stem(plain(clean(first))) == stem else f"{first}\n{rest}"
    for paragraph in _paragraphs(body):
        text = plain(paragraph)
        if not text or _stem(text) == stem:
            continue
        sentence = _sentence(_first(text), fewest_words=_FEWEST_WORDS)
        if sentence is not None:
            return sentence
    return None


def plain(text: str) -> str:
    """A line or paragraph without markup, on one line."""
    text = _IMAGE.sub(" ", _COMMENT.sub(" ", text))
    text = _URL.sub("", _LINK.sub(r"\1", text))
    text = _TAG.sub(" ", text)
    # Twice: code inside emphasis.
    text = _EMPHASIS.sub(r"\2", _EMPHASIS.sub(r"\2", text))
    return _SPACES.sub(" ", text.replace("()", "() ").replace("[]", "")).strip(" \t\n:;,-")


def cut_sentence(text: str, longest: int = LONGEST_SENTENCE) -> str:
    """At most `longest` characters, cut between words."""
    if len(text) <= longest:
        return text
    return text[: longest - 1].rsplit(" ", 1)[0].rstrip(" ,;:-(") + "…"


def _paragraphs(text: str) -> list[str]:
    """Paragraphs of prose; each item of a list is one."""
    covered = cover(text)
    paragraphs: list[list[str]] = [[]]
    position = 0
    for line in text.split("\n"):
        shown = covered[position : position + len(line)]
        position += len(line) + 1
        hidden = COVER in shown and not shown.replace(COVER, "").strip()
        if not line.strip() or hidden or _NO_PROSE.match(line) or _TRAILER.match(line):
            paragraphs.append([])
            continue
        marker = _MARKER.match(line)
        if marker:
            paragraphs.append([])
        paragraphs[-1].append(line[marker.end() :] if marker else line.strip())
    return [" ".join(lines) for lines in paragraphs if lines]


def _first(text: str) -> str:
    for match in _END.finditer(text):
        end = match.start()
        if not _ABBREVIATED.search(text, max(0, end - 12), end):
            return text[:end]
    return text


def _sentence(text: str, *, fewest_words: int) -> str | None:
    text = text.strip()
    if len(_WORD.findall(text)) < fewest_words:
        return None
    first = text.split(" ", 1)[0]
    if first.isalpha() and first.islower() and " " in text:
        text = text[0].upper() + text[1:]
    text = cut_sentence(text)
    return text if text[-1] in ".!?…" else f"{text}."


def _stem(text: str) -> str:
    """The common part of two versions of a line: a title may be cut, or end differently."""
    return "".join(letter for letter in text.lower() if letter.isalnum())[:60]
