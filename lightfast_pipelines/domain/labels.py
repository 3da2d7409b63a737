"""Labels clusters with a title and words of their members, never with the provider's name."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lightfast_pipelines.domain.stop_words import FUNCTION_WORDS, STOP_WORDS

_WORD = re.compile(r"[^\W\d_][\w-]{2,}")
_BRACKETS = re.compile(r"^\s*(?:\[[^\]]{1,60}\]\s*)+")
# `Merge pull request #12 from ann/fix` does not say what the work is about.
_MERGE = re.compile(r"^merge (?:pull request|branch|remote-tracking branch|tag|commit)\b", re.I)
# The number of errors in a series, before its name.
_COUNT = re.compile(r"^\d+\u00d7 ")
_TRAILING_NUMBER = re.compile(r"\(#\d+\)\s*$")
_PROVIDERS = frozenset({"github", "vercel", "linear", "sentry"})
# Participles and adverbs seldom name a thing: `improved`, `directly`. Words such as `speed` do.
_SELDOM_A_THING = re.compile(r"^(?!.*eed$)[a-z]{2,}[a-z](?:ed|ly)$")
_SELDOM = 0.4
LONGEST_LABEL = 120


@dataclass(frozen=True, slots=True)
class Label:
    """`title` is one line, at most 120 characters; `keywords` are lower case, most significant first."""

    title: str
    keywords: tuple[str, ...]


class Labeller:
    """Labels the clusters of one workspace; the rarer a word is in its titles, the more it weighs."""

    def __init__(self, titles: Iterable[str]) -> None:
        self._counts: Counter[str] = Counter()
        self._titles = 0
        for title in titles:
            self._titles += 1
            self._counts.update(set(words(title)))

    def label(self, titles: Sequence[str], most: int = 8) -> Label:
        """The label of a cluster with these titles, for any order and repetition of them.

        A keyword is a word that several titles share, or one of the chosen title: a rare word of one
        title among many does not describe the others.
        """
        distinct = {clean(title) for title in titles}
        usable = {title for title in distinct if not _MERGE.match(title)} or distinct
        frequency = Counter(word for title in usable for word in set(words(title)))
        weight = {word: self._weight(word, count, len(usable)) for word, count in frequency.items()}

        def rank(title: str) -> tuple[bool, float, str]:
            title_words = set(words(title))
            # The root keeps long titles from winning by their number of words.
            total = math.fsum(weight[word] for word in title_words)
            return (bool(_MERGE.match(title)), -total / math.sqrt(len(title_words) or 1), title)

        best = min(usable, key=rank, default="")
        best_words = set(words(best))
        keywords = sorted(
            (word for word, count in frequency.items() if count > 1 or word in best_words),
            key=lambda word: (-weight[word], word),
        )[:most]
        if not keywords:  # `Fix a typo` still says what it does
            plain = (word.lower() for word in _WORD.findall(best))
            keywords = [word for word in dict.fromkeys(plain) if word not in FUNCTION_WORDS][:most]
        text = " ".join(keywords[:4]) if not best or _MERGE.match(best) else best
        return Label((text or best or "untitled")[:LONGEST_LABEL].rstrip(), tuple(keywords))

    def _weight(self, word: str, count: int, titles: int) -> float:
        """Its share of the cluster's titles times its rarity in the workspace."""
        rarity = math.log(1 + self._titles / max(1, self._counts[word]))
        factor = _SELDOM if _SELDOM_A_THING.match(word) else 1.0
        return factor * count / titles * rarity


def clean(title: str) -> str:
    """The title without a leading bracketed tag or count and a trailing pull request number."""
    return _TRAILING_NUMBER.sub("", _COUNT.sub("", _BRACKETS.sub("", title))).strip()


def words(title: str) -> list[str]:
    """The title's words of three letters or more in lower case, without stop words and providers."""
    lowered = (word.lower() for word in _WORD.findall(clean(title)))
    return [word for word in lowered if word not in STOP_WORDS and word not in _PROVIDERS]
