"""Finds the words of a text that only quote what is being reverted, so that they close nothing.

`Revert "Fix #39"` does not fix #39. A squash merge lists every commit of its pull request: what one
of them fixed and a later one reverted is not fixed either.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

# Possible beginnings of a headline: a list's bullet, `[backport]`, `chore(cart):`, a merge's tag.
_HEADLINE = re.compile(
    r"^[ \t]*(?:[*+-][ \t]+)?(?:\[[^\]\n]{1,30}\][ \t]*){0,2}(?:\w{1,20}(?:\([^()\n]{0,60}\))?!?:[ \t]*)??"
    r"(?P<verbs>(?:(?:reverts?|re-?apply|re-?land|roll[ -]?back|back[ -]out)(?:\([^()\n]{0,60}\))?!?"
    r"(?::[ \t]*[\"'“”„«\u2018`]*|[ \t]+[\"'“”„«\u2018`]*))+)(?P<rest>[^\n]*)$",
    re.IGNORECASE | re.MULTILINE,
)
_APPLY = re.compile(r"re-?(?:apply|land)", re.IGNORECASE)
_VERB = re.compile(r"re-?apply|re-?land|revert|roll[ -]?back|back[ -]out", re.IGNORECASE)
# Without a quotation mark or a colon it may be an ordinary sentence: "Revert the cursor on undo (fixes
# #12)". A part that begins like a title of its own is the reverted title.
_TITLE_OF_ITS_OWN = re.compile(
    r"(?:close[sd]?|fix(?:e[sd])?|resolve[sd]?)\b[ \t]{0,4}:?[ \t]{0,4}[\w./-]*[#-]\d"
    r"|(?:pr|pull[ \t]{1,4}request)?[ \t]{0,4}[\w./-]*#\d{1,9}[ \t]?[:-][ \t]"
    r"|\w{1,20}(?:\([^()\n]{0,60}\))?!?:[ \t]",
    re.IGNORECASE,
)
_OPENING = "\"'“„«\u2018"
_LAST_QUOTE = re.compile(r"[\"'”“»\u2019](?=[^\"'”“»\u2019]*$)")
_QUOTED = re.compile(r'(?<!\w)"[^"\n]{1,300}"(?!\w)|“[^“”\n]{1,300}”|~~[^~\n]{1,300}~~')
_ORIGINAL_TEXT = re.compile(
    r"^[^\w\n]{0,6}original\b[^\n:]{0,40}\b(?:message|description|body|text|summary)\b[^\n:]{0,40}:?[^\w\n]{0,4}$"
    r"|^[^\w\n]{0,6}original\b[^\n:]{0,40}\b(?:message|description|body|text|summary)\b[^\n:]{0,40}:",
    re.IGNORECASE | re.MULTILINE,
)
_REVERTING = re.compile(r"\b(?:this[ \t]+)?reverts\b", re.IGNORECASE)
_SECTION = re.compile(r"^\*[ \t]+([^\n]*)$", re.MULTILINE)
_SPACES = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Headline:
    """A line that reverts or reapplies the title that it quotes in text[start:end].

    `depth` counts nested reverts: an even number applies the change again.
    """

    start: int
    end: int
    depth: int
    is_quoted: bool
    is_reapply: bool

    @property
    def takes_back(self) -> bool:
        return self.depth % 2 == 1


class Withdrawn:
    """The spans of a text in which closing words are only quoted."""

    def __init__(self, text: str) -> None:
        lowered = text.lower()
        has_revert = "revert" in lowered
        self.headlines: tuple[Headline, ...] = ()
        if has_revert or "apply" in lowered or "land" in lowered or "back" in lowered:
            self.headlines = tuple(_headlines(text))
        spans = [(headline.start, headline.end) for headline in self.headlines]
        if '"' in text or "“" in text or "~~" in text:
            spans += (match.span() for match in _QUOTED.finditer(text))
        if self.headlines or (has_revert and _REVERTING.search(text)):
            spans += ((match.start(), len(text)) for match in _ORIGINAL_TEXT.finditer(text))
            spans += _undone_sections(text, self.headlines)
        # For each start of a span, the furthest end of the spans up to there.
        ordered = sorted(spans)
        self._starts = [start for start, _ in ordered]
        self._ends = list(accumulate((end for _, end in ordered), max))
        self._headline_starts = [headline.start for headline in self.headlines]

    def __contains__(self, position: int) -> bool:
        before = bisect_right(self._starts, position)
        return before > 0 and position < self._ends[before - 1]

    def headline_at(self, position: int) -> Headline | None:
        """The revert or reapply whose quotation contains this position."""
        # Each is on a line of its own, so they do not overlap.
        before = bisect_right(self._headline_starts, position)
        headline_before = self.headlines[before - 1] if before else None
        return (
            headline_before
            if headline_before is not None and position < headline_before.end
            else None
        )


def _headlines(text: str) -> Iterator[Headline]:
    for match in _HEADLINE.finditer(text):
        verbs = _VERB.findall(match["verbs"])
        # Git writes `Reapply "X"` for the revert of a revert of X.
        depth = sum(2 if _APPLY.match(verb) else 1 for verb in verbs)
        start, end = match.start("rest"), match.end("rest")
        is_quoted = text[start - 1] in _OPENING
        if not (is_quoted or ":" in match["verbs"] or _TITLE_OF_ITS_OWN.match(match["rest"])):
            continue
        closing = _LAST_QUOTE.search(text, start, end) if is_quoted else None
        end = closing.start() if closing else end
        yield Headline(start, end, depth, is_quoted, _APPLY.match(verbs[0]) is not None)


def _undone_sections(text: str, headlines: tuple[Headline, ...]) -> Iterator[tuple[int, int]]:
    """The commits of a squash merge that a later commit of the same list reverts."""
    sections = list(_SECTION.finditer(text))
    if not sections:
        return
    depths = {
        _plain(text[headline.start : headline.end]): (headline.start, headline.depth)
        for headline in headlines
        if headline.is_quoted
    }
    for index, section in enumerate(sections):
        # In the order of the text, so if any comes after the section, the last one does.
        start, depth = depths.get(_plain(section[1]), (0, 0))
        if start > section.end() and depth % 2 == 1:
            end = sections[index + 1].start() if index + 1 < len(sections) else len(text)
            yield section.start(), end


def _plain(title: str) -> str:
    """A title for comparison, without the quotation marks that nested reverts add to its end."""
    return _SPACES.sub(" ", title).strip().strip("\"'“”").rstrip(".…").lower()
