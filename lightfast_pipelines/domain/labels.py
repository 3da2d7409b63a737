"""Labels clusters with a title, words and files of their members, never with the provider's name."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise

from lightfast_pipelines.domain.file_names import common_place, file_words
from lightfast_pipelines.domain.stop_words import FUNCTION_WORDS, STOP_WORDS

_WORD = re.compile(r"[^\W\d_][\w-]{2,}")
_BRACKETS = re.compile(r"^\s*(?:\[[^\]]{1,60}\]\s*)+")
# `Merge pull request #12 from ann/fix` does not say what the work is about.
_MERGE = re.compile(r"^merge (?:pull request|branch|remote-tracking branch|tag|commit|pr)\b", re.I)
# The number of errors in a series, before its name.
_COUNT = re.compile(r"^\d+\u00d7 ")
_TRAILING_NUMBER = re.compile(r"\(#\d+\)\s*$")
# What changed, after the title of a thing: `[Issue Updated] Charge once (state: In Progress)`.
_CHANGE = re.compile(r"\s\([a-z][a-z ]{1,30}: [^()\n]{0,70}\)\s*$")
_BACKPORT = re.compile(
    r"^(?:manual )?backport (?:of )?(?:pr )?#\d+(?: on branch \S{1,60})?[:\s-]*", re.I
)
# `fix(parser): `, but not the scope of `parser: `.
_KIND = re.compile(
    r"^(?:fix|feat|feature|chore|docs?|refactor|test|tests|style|perf|build|ci|revert|maint|mnt|enh|pr)"
    r"(?:\(([^()]{1,40})\))?!?:\s+",
    re.I,
)
_URL = re.compile(r"\bhttps?://\S+")
_CLOSING = re.compile(
    r"[\s,;.:(-]*\b(?:fix(?:e[sd])?|close[sd]?|resolve[sd]?|see|refs?|cf)\b:?\s+"
    r"(?:(?:gh-|#|[\w.-]{1,60}/[\w.-]{1,60}#)\d+[,\s]*(?:and\s+)?)+[).]*\s*$",
    re.I,
)
_DANGLING = re.compile(
    r"[\s,;:.(-]*\b(?:fix(?:e[sd])?|close[sd]?|resolve[sd]?|see|from|at)?[\s:(]*$", re.I
)
_PROVIDERS = frozenset({"github", "vercel", "linear", "sentry"})
# Participles and adverbs seldom name a thing: `improved`, `directly`. Words such as `speed` do.
_SELDOM_A_THING = re.compile(r"^(?!.*eed$)[a-z]{2,}[a-z](?:ed|ly)$")
_SELDOM = 0.4
# A pull request's or an issue's title says what its commits are about together.
_DECLARED = 2.0
_DECLARED_LABEL = 3.0
# A pair of words is a term of its own if so many titles have it, and if it is this share of the titles
# with one of the words.
_PHRASE_TITLES = 3
_PHRASE_SHARE = 0.6
# A file's name is a keyword if this share of the members touch such a file.
_FILE_SHARE = 1 / 3
LONGEST_LABEL = 120
# Observations have titles of at most 200 characters; the expressions above are not for longer texts.
_LONGEST_TITLE = 250


@dataclass(frozen=True, slots=True)
class Label:
    """`title` is one line, at most 120 characters; `keywords` are lower case, most significant first."""

    title: str
    keywords: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Titled:
    """What a label is made of: a member's title, its files, and whether the title is that of a pull
    request, an issue or a discussion."""

    title: str
    files: Set[str] = frozenset()
    is_of_item: bool = False


class Labeller:
    """Labels the clusters of one workspace; the rarer a word is in it, the more it weighs."""

    def __init__(self, members: Iterable[Titled]) -> None:
        self._titles: Counter[str] = Counter()
        self._files: Counter[str] = Counter()
        self._members = 0
        for member in members:
            self._members += 1
            self._titles.update(set(map(_stem, words(label_text(member.title)))))
            self._files.update(_names(member.files))

    def label(self, members: Sequence[Titled], most: int = 8) -> Label:
        """The label of a cluster with these members, for any order and repetition of their titles.

        A keyword is a word or a pair of words that several titles share, one of the chosen title, or
        the name of a file or folder that many members touch.
        """
        texts = [label_text(member.title) for member in members]
        declared = {text for text, member in zip(texts, members, strict=True) if member.is_of_item}
        distinct = set(texts)
        usable = {title for title in distinct if not _MERGE.match(title)} or distinct
        said = {title: words(_MERGE.sub("", title)) for title in usable}
        weights, shown, shared = self._weigh(said, declared)

        def rank(title: str) -> tuple[bool, float, str]:
            stems = set(map(_stem, said[title]))
            # The root keeps long titles from winning by their number of words.
            total = math.fsum(weights[stem] for stem in stems) / math.sqrt(len(stems) or 1)
            # A title that shares no words with the others represents its own member only.
            if len(usable) > 1:
                total *= 1 + math.fsum(weights[stem] for stem in stems & shared)
            return (
                bool(_MERGE.match(title)),
                -total * (_DECLARED_LABEL if title in declared else 1),
                title,
            )

        best = min(usable, key=rank, default="")
        of_best = set(map(_stem, said.get(best, ())))
        candidates = {stem: weights[stem] for stem in weights if stem in shared or stem in of_best}
        names = self._file_names(members)
        # Sorted: two names may have one stem, and sums of floats depend on their order.
        for name, weight in sorted(names.items()):
            stem = _stem(name)
            candidates[stem] = candidates.get(stem, 0.0) + weight
            shown.setdefault(stem, name)
        keywords = self._keywords(candidates, shown, _phrases(said, shown), most)
        place = common_place(member.files for member in members) if not of_best else None
        if not keywords:  # `Fix a typo` still says what it does
            plain = (word.lower() for word in _WORD.findall(best))
            keywords = [word for word in dict.fromkeys(plain) if word not in FUNCTION_WORDS][:most]
        text = " ".join(keywords[:4]) if not best or _MERGE.match(best) else best
        if place is not None and place not in text:
            text = f"{text} ({place})" if text else place
        return Label((text or best or "untitled")[:LONGEST_LABEL].rstrip(), tuple(keywords))

    def _weigh(
        self, said: Mapping[str, Sequence[str]], declared: Set[str]
    ) -> tuple[dict[str, float], dict[str, str], set[str]]:
        """(weight of each stem, the word to show for it, the stems that several titles share)"""
        share: dict[str, float] = defaultdict(float)
        titles: Counter[str] = Counter()
        forms: dict[str, Counter[str]] = defaultdict(Counter)
        total = math.fsum(_DECLARED if title in declared else 1.0 for title in said)
        for title, title_words in sorted(said.items()):
            for stem in set(map(_stem, title_words)):
                share[stem] += _DECLARED if title in declared else 1.0
                titles[stem] += 1
            for word in title_words:
                forms[_stem(word)][word] += 1
        shown = {
            stem: min(counts, key=lambda word: (-counts[word], word))
            for stem, counts in forms.items()
        }
        weights = {
            stem: amount / total * self._rarity(self._titles[stem]) * _thingness(shown[stem])
            for stem, amount in share.items()
        }
        return weights, shown, {stem for stem, count in titles.items() if count > 1}

    def _rarity(self, count: int) -> float:
        return math.log(1 + self._members / max(1, count))

    def _file_names(self, members: Sequence[Titled]) -> dict[str, float]:
        """The names of files and folders that a third of the members with files touch, with weights."""
        touching = [names for member in members if (names := _names(member.files))]
        if len(touching) < 2:
            return {}
        counts = Counter(name for names in touching for name in names)
        return {
            name: 0.5 * count / len(touching) * self._rarity(self._files[name])
            for name, count in counts.items()
            if count > 1 and count >= _FILE_SHARE * len(touching)
        }

    @staticmethod
    def _keywords(
        weights: Mapping[str, float],
        shown: Mapping[str, str],
        phrases: Mapping[str, str],
        most: int,
    ) -> list[str]:
        """Best first; a word that has become part of a phrase is not listed again."""
        keywords: dict[str, None] = {}
        parts: set[str] = set()
        for stem in sorted(weights, key=lambda stem: (-weights[stem], shown[stem])):
            if stem in parts:
                continue
            phrase = phrases.get(stem, "")
            # `input transformation` leaves `machinery` alone.
            is_new = phrase and parts.isdisjoint(map(_stem, phrase.split()))
            keyword = phrase if is_new else shown[stem]
            parts.update(map(_stem, keyword.split()))
            keywords.setdefault(keyword)
            if len(keywords) == most:
                break
        return list(keywords)


def _phrases(titles: Iterable[str], shown: Mapping[str, str]) -> dict[str, str]:
    """stem -> the pair of words that it is nearly always part of: `input transformation`."""
    together: Counter[tuple[str, str]] = Counter()
    alone: Counter[str] = Counter()
    for title in titles:
        found = list(_WORD.finditer(title))
        alone.update({_stem(word[0].lower()) for word in found})
        pairs = (
            (_stem(first[0].lower()), _stem(second[0].lower()))
            for first, second in pairwise(found)
            if title[first.end() : second.start()] == " "
        )
        together.update({pair for pair in pairs if pair[0] in shown and pair[1] in shown})
    phrases: dict[str, str] = {}
    for (first, second), count in sorted(together.items(), key=lambda item: (-item[1], item[0])):
        if count < _PHRASE_TITLES:
            break
        for stem in (first, second):
            if count >= _PHRASE_SHARE * alone[stem]:
                phrases.setdefault(stem, f"{shown[first]} {shown[second]}")
    return phrases


def _names(files: Set[str]) -> set[str]:
    return {name for file in files for name in file_words(file)}


def _stem(word: str) -> str:
    """Without a plural's ending: `completions`, `matches` and `completion`, `match` count together."""
    if len(word) > 4 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-2] if word.endswith(("ches", "shes", "sses", "xes")) else word[:-1]
    return word


def _thingness(word: str) -> float:
    return _SELDOM if _SELDOM_A_THING.match(word) else 1.0


def clean(title: str) -> str:
    """The title without a leading bracketed tag or count, a trailing pull request number, and, after a
    tag, a trailing change of a field."""
    untagged = _BRACKETS.sub("", title)
    if untagged != title:
        untagged = _CHANGE.sub("", untagged)
    return _TRAILING_NUMBER.sub("", _COUNT.sub("", untagged)).strip()


def is_merge(title: str) -> bool:
    """Whether a commit with this title merges what others wrote."""
    return _MERGE.match(clean(title[:_LONGEST_TITLE])) is not None


def label_text(title: str) -> str:
    """What a title says of the work: without kinds and tags before it, numbers and addresses after it."""
    text = _BRACKETS.sub("", _BACKPORT.sub("", clean(title[:_LONGEST_TITLE])))
    kind = _KIND.match(text)
    if kind:
        text = (f"{kind[1]}: " if kind[1] else "") + text[kind.end() :]
    if "://" in text:
        text = _DANGLING.sub("", _URL.sub("", text))
    text = _CLOSING.sub("", text).strip()
    if text.startswith("(") and text.endswith(")"):
        text = text[1:-1].strip()
    return text or clean(title)


def words(title: str) -> list[str]:
    """The title's words of three letters or more in lower case, without stop words and providers."""
    lowered = (word.lower() for word in _WORD.findall(clean(title)))
    return [word for word in lowered if word not in STOP_WORDS and word not in _PROVIDERS]
