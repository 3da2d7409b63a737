"""What a cluster is called: words and a title from its members' own text, never the provider's name.

Pure; which observations are members is `clusters.py`'s.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_WORD = re.compile(r"[^\W\d_][\w-]{2,}")
_BRACKETS = re.compile(r"^\s*(?:\[[^\]]{1,60}\]\s*)+")
# `Merge pull request #12 from ann/fix` says how, not what.
_MERGE = re.compile(r"^merge (?:pull request|branch|remote-tracking branch|tag|commit)\b", re.I)
# Of single errors that were counted: how many says nothing of what they are.
_COUNT = re.compile(r"^\d+\u00d7 ")
_TRAILING_NUMBER = re.compile(r"\s*\(#\d+\)\s*$")
_SILENT = frozenset(
    """
    github vercel linear sentry the and for with from into that this not are was were has have but
    when then than its use used using via per can you your our all any some more pull request merge
    merged branch commit pushed opened closed issue reopened add added adds fix fixes fixed update
    updated updates remove removed removes make makes change changes changed new also just only
    """.split()  # noqa: SIM905 - reads and edits better than a list
)
LONGEST_LABEL = 120


@dataclass(frozen=True, slots=True)
class Label:
    """`title` is one line, at most 120 characters; `keywords` are lower case, most telling first."""

    title: str
    keywords: tuple[str, ...]


class Labeller:
    """Names clusters of one workspace: a word tells the more, the fewer of its titles have it."""

    def __init__(self, titles: Iterable[str]) -> None:
        self._counts: Counter[str] = Counter()
        self._titles = 0
        for title in titles:
            self._titles += 1
            self._counts.update(set(words(title)))

    def label(self, titles: Sequence[str], most: int = 8) -> Label:
        """The label of a cluster with these titles, whatever their order."""
        frequency = Counter(word for title in titles for word in set(words(title)))
        weight = {
            word: (1 + math.log(count)) * math.log(1 + self._titles / max(1, self._counts[word]))
            for word, count in frequency.items()
        }
        keywords = sorted(weight, key=lambda word: (-weight[word], word))[:most]

        def telling(title: str) -> tuple[bool, float, str]:
            own = set(words(title))
            # Long titles have many words: the root keeps them from winning by length alone.
            total = math.fsum(weight[word] for word in own if word in keywords)
            return (bool(_MERGE.match(title)), -total / math.sqrt(len(own) or 1), title)

        best = min((clean(title) for title in titles), key=telling, default="")
        text = " ".join(keywords[:4]) if not best or _MERGE.match(best) else best
        return Label((text or best or "untitled")[:LONGEST_LABEL].rstrip(), tuple(keywords))


def clean(title: str) -> str:
    """The title without a bracketed tag and a count before it and a pull request's number behind it."""
    return _TRAILING_NUMBER.sub("", _COUNT.sub("", _BRACKETS.sub("", title))).strip()


def words(title: str) -> list[str]:
    """Its words of three letters or more in lower case, without those that tell nothing."""
    found = (word.lower() for word in _WORD.findall(clean(title)))
    return [word for word in found if word not in _SILENT]
