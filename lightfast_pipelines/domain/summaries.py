"""Summarizes a cluster without a language model: its facts, then its members' most telling sentences.

Extractive: it says only what members say, and every sentence cites its members. Pure, and the same for any
order of the members. `clustering/summaries.py` reads and writes.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from lightfast_pipelines.domain.labels import words
from lightfast_pipelines.domain.prose import first_sentence, sentence_of_title

RULE_VERSION = 2

# A cluster with fewer members is read faster than its summary.
FEWEST_MEMBERS = 5
# A summary is outdated once its cluster has grown by this share.
CHANGED_SHARE = 0.2

_MOST_SENTENCES = 3
_MOST_SENTENCES_OF_FEW = 2
_FEW = 10
_LEAST_NEW = 0.4
# A sentence of the text counts less than the title.
_BEHIND_A_TITLE = 0.7
_KEYWORD = 1.5
_MOST_NAMES = 3
_MOST_THINGS = 3
_MOST_TOPICS = 3

_MERGE = re.compile(
    r"^(?:merge[ds]? (?:pull request|pr|branch|remote-tracking|tag|commit)|backport pr)\b", re.I
)
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_PLURALS = {"branch": "branches", "discussion-comment": "comments", "review-comment": "comments"}
_NAMES = {
    "discussion-comment": "comment",
    "commit-comment": "comment",
    "review-comment": "comment",
    "event-alert": "alert",
    "activity-alert": "alert",
    "metric-alert": "alert",
}
# Each observation of these kinds counts; of other kinds, each subject counts once.
_ONE_EACH = frozenset({"comment", "review", "error", "alert"})


@dataclass(frozen=True, slots=True)
class Member:
    """An observation of the cluster.

    `at` is in seconds since 1970, `who` is the author's name or None, `is_bot` whether that is a bot;
    `text_hash` is that of its whole title and content.
    """

    external_id: str
    subject_key: str
    source_type: str
    at: float
    title: str
    content: str = ""
    who: str | None = None
    is_bot: bool = False
    text_hash: str = ""


@dataclass(frozen=True, slots=True)
class Sentence:
    """`observations` are the external ids of the members that say it, sorted.

    `text_hash` is that of their texts if the sentence quotes these, and None if it only counts.
    """

    text: str
    observations: tuple[str, ...]
    text_hash: str | None = None


@dataclass(frozen=True, slots=True)
class _Candidate:
    text: str
    weight: float
    words: frozenset[str]
    observations: tuple[str, ...]
    at: float


def summarize(members: Sequence[Member], keywords: Sequence[str]) -> tuple[Sentence, ...]:
    """One to four sentences; none for no members.

    The first counts and cites all members: what, who, when, and the keywords. Two or three more are
    chosen one by one, each time the one with the greatest weight that still says something new. They are
    in order of time.
    """
    if not members:
        return ()
    facts = Sentence(_facts(members, keywords), tuple(sorted(m.external_id for m in members)))
    most = _MOST_SENTENCES_OF_FEW if len(members) < _FEW else _MOST_SENTENCES
    chosen = _choose(_candidates(members, frozenset(" ".join(keywords).split())), most)
    chosen.sort(key=lambda candidate: (candidate.at, candidate.text))
    return (facts, *(cite(each.text, each.observations, members) for each in chosen))


def cite(text: str, observations: Iterable[str], members: Iterable[Member]) -> Sentence:
    """The sentence with its citations and the hash of their texts, as the view `summary_sentences` makes it."""
    cited = sorted(set(observations))
    hashes = {member.external_id: member.text_hash for member in members}
    joined = "".join(hashes[observation] for observation in cited)
    return Sentence(
        text, tuple(cited), hashlib.md5(joined.encode(), usedforsecurity=False).hexdigest()
    )


def is_outdated(cited: frozenset[str], members: frozenset[str]) -> bool:
    """Whether a summary of the `cited` members has to be rewritten for these members.

    It has to be if it cites one that is gone, or if the cluster has grown by a fifth.
    """
    return not cited <= members or len(members - cited) >= CHANGED_SHARE * max(1, len(cited))


def _candidates(members: Sequence[Member], keywords: frozenset[str]) -> list[_Candidate]:
    titles: dict[str, list[Member]] = defaultdict(list)
    texts: dict[str, list[Member]] = defaultdict(list)
    for member in members:
        title = sentence_of_title(member.title)
        if title is not None and not _MERGE.match(title):
            titles[title].append(member)
        text = first_sentence(member.title, member.content)
        if text is not None and not _MERGE.match(text):
            texts[text].append(member)
    # The text of a merge commit is the title of its pull request.
    for text in texts.keys() & titles.keys():
        titles[text] += texts.pop(text)
    counts: Counter[str] = Counter()
    for text, group in (*titles.items(), *texts.items()):
        counts.update(dict.fromkeys(words(text), len({m.subject_key for m in group})))
    weights = {
        word: math.log1p(count) * (_KEYWORD if word in keywords else 1.0)
        for word, count in counts.items()
    }
    return [
        *(_candidate(text, group, weights, 1.0) for text, group in titles.items()),
        *(_candidate(text, group, weights, _BEHIND_A_TITLE) for text, group in texts.items()),
    ]


def _candidate(
    text: str, group: Iterable[Member], weights: Mapping[str, float], factor: float
) -> _Candidate:
    own_words = frozenset(words(text))
    ids = {member.external_id for member in group}
    total = math.fsum(weights[word] for word in own_words)
    # The root keeps long sentences from winning by their number of words.
    weight = factor * total / math.sqrt(len(own_words) + 2) * (1 + math.log(len(ids)) / 4)
    return _Candidate(
        text, weight, own_words, tuple(sorted(ids)), min(member.at for member in group)
    )


def _choose(candidates: Iterable[_Candidate], most: int) -> list[_Candidate]:
    remaining = {candidate.text: candidate for candidate in candidates if candidate.words}
    chosen: list[_Candidate] = []
    said_words: set[str] = set()
    while remaining and len(chosen) < most:
        new = {
            text: len(candidate.words - said_words) / len(candidate.words)
            for text, candidate in remaining.items()
        }
        best = min(remaining.values(), key=lambda each: (-each.weight * new[each.text], each.text))
        if chosen and new[best.text] < _LEAST_NEW:
            break
        chosen.append(remaining.pop(best.text))
        said_words |= best.words
    return chosen


def _facts(members: Sequence[Member], keywords: Sequence[str]) -> str:
    who = _who(members)
    topics = listed(keywords[:_MOST_TOPICS])
    parts = [
        _what(members),
        f" by {who}" if who else "",
        f" {period(min(m.at for m in members), max(m.at for m in members))}",
        f", about {topics}" if topics else "",
        ".",
    ]
    text = "".join(parts)
    return text[0].upper() + text[1:]


def _what(members: Sequence[Member]) -> str:
    things: dict[str, set[str]] = defaultdict(set)
    plurals: dict[str, str] = {}
    for member in members:
        thing = member.source_type.partition(".")[0]
        name = _NAMES.get(thing, thing.replace("-", " "))
        plurals[name] = _PLURALS.get(thing, f"{name}s")
        things[name].add(member.external_id if name in _ONE_EACH else member.subject_key)
    counts = sorted(((len(each), name) for name, each in things.items()), key=_most_first)
    shown = [f"{n} {name if n == 1 else plurals[name]}" for n, name in counts[:_MOST_THINGS]]
    rest = sum(n for n, _ in counts[_MOST_THINGS:])
    return listed([*shown, *([f"{rest} more"] if rest else [])])


def _who(members: Sequence[Member]) -> str:
    people = Counter(m.who for m in members if m.who and not m.is_bot)
    counts = people or Counter(m.who for m in members if m.who)
    names = [name for _, name in sorted(((n, name) for name, n in counts.items()), key=_most_first)]
    # With more names than fit, one name fewer leaves room for the number of others.
    shown = names if len(names) <= _MOST_NAMES else names[: _MOST_NAMES - 1]
    rest = len(names) - len(shown)
    return listed([*shown, *([f"{rest} others"] if rest else [])])


def period(first: float, last: float) -> str:
    """`on 3 May 2019`, `from 3 to 8 May 2019`, `from 3 May to 8 June 2019`, or with both years."""
    start, end = (datetime.fromtimestamp(at, UTC) for at in (first, last))
    until = f"{end.day} {_MONTHS[end.month - 1]} {end.year}"
    if start.date() == end.date():
        return f"on {until}"
    since = f"{start.day}"
    if (start.year, start.month) != (end.year, end.month):
        since += f" {_MONTHS[start.month - 1]}"
    if start.year != end.year:
        since += f" {start.year}"
    return f"from {since} to {until}"


def listed(names: Sequence[str]) -> str:
    """`a, b and c`"""
    return " and ".join([*([", ".join(names[:-1])] if names[:-1] else []), *names[-1:]])


def _most_first(counted: tuple[int, str]) -> tuple[int, str]:
    return (-counted[0], counted[1])
