"""Reads from a title and its text whether a piece of work begins, goes on or ends with it.

Pure. `affinity.py` weighs these marks; the weights were learnt on commits.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

# More of a title or a text changes no mark; it bounds what a description of 60,000 letters costs.
MOST_TITLE = 300
MOST_TEXT = 2_000

_TAG = re.compile(r"^\s*\[[^\]]{1,60}\]\s*")
_WORD = re.compile(r"[^\W\d_]\w{2,}")
_FOLLOW_UP = re.compile(
    r"\b(?:fix ?up|typos?|lint(?:er|ing|s)?|darker|black|pep ?8|flake8|mypy|format(?:ted|ting|ter)?"
    r"|(?:re|auto)-?format(?:ted|ting)?|reviews?|suggestions?|oops|whoops|ugh|again|comments?|clean ?up"
    r"|missing|forgot(?:ten)?|nits?|wip|address(?:es|ed)?|debug|tweaks?|renamed?|revert(?:ed|s)?|squash"
    r"|more|also|remaining|tests?|fix(?:es|ed)? (?:the )?(?:ci|build))\b",
    re.IGNORECASE,
)
# What the web editors propose as a title.
_EDITOR_TITLE = re.compile(
    r"^(?:update|fix|add|remove|delete|create) [\w./-]+\.\w+$|^apply suggestions?\b", re.IGNORECASE
)
_ROUTINE = re.compile(
    r"^(?:re-?lease\b|back to dev|bump version|version \d|v?\d+\.\d+|prepare (?:for )?release)"
    r"|\bwhat'?s ?new\b|\brelease notes?\b|\bchangelog\b",
    re.IGNORECASE,
)
# With the number, or with nothing after it: exports and mirrors take numbers out.
_CLOSES = re.compile(
    r"\b(?:close[sd]?|fix(?:e[sd])?|resolve[sd]?):?[ \t]+(?:[\w./-]{0,80}#\d|gh-\d|https?://)"
    r"|\b(?:closes|closed|fixes|fixed|resolves|resolved):?[ \t]*[#.,;)]?[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)
# A squash merge puts the number of its pull request at the end.
_SQUASHED = re.compile(r"\s\((?:#\d+)?\)\s*$")
_TRAILER = re.compile(r"^[A-Z][A-Za-z]{0,30}-[\w-]{1,40}: .*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class WorkMarks:
    """`follows_up`: the title completes earlier work (`fix tests`, `typo`); `is_routine`: it is part of
    a release; `closes`: it says that it closes something; `is_whole`: it is a whole pull request.

    `title_words` and `text_words` are logarithms of their numbers plus one.
    """

    follows_up: bool = False
    is_routine: bool = False
    closes: bool = False
    is_whole: bool = False
    title_words: float = math.log(6)
    text_words: float = 0.0


NO_MARKS = WorkMarks()


def read_marks(title: str, text: str) -> WorkMarks:
    """The marks of an observation with this title and text; the text may begin with the title."""
    title = _TAG.sub("", title[:MOST_TITLE]).strip()
    headline, _, rest = text[:MOST_TEXT].partition("\n")
    is_title = " ".join(headline.split()).startswith(title.removesuffix("..."))
    text = _TRAILER.sub("", rest if is_title else text[:MOST_TEXT])
    return WorkMarks(
        follows_up=bool(_FOLLOW_UP.search(title) or _EDITOR_TITLE.search(title)),
        is_routine=bool(_ROUTINE.search(title)),
        closes=bool(_CLOSES.search(title) or _CLOSES.search(text)),
        is_whole=bool(_SQUASHED.search(title)),
        title_words=math.log1p(len(_WORD.findall(title))),
        text_words=math.log1p(len(_WORD.findall(text))),
    )
