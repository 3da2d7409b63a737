"""Says why a hit is there: the letters that match, the best part of its text, and one sentence. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lightfast_pipelines.domain.stop_words import STOP_WORDS
from lightfast_pipelines.search.ranked import Ranking
from lightfast_pipelines.search.ranking import Candidate
from lightfast_pipelines.search.results import MatchedSpan

_LONGEST_SNIPPET = 240
_MOST_SPANS = 20
# A word, or a part of an identifier: getUserById -> get, User, By, Id.
_PART = re.compile(r"[^\W_]+?(?=[A-Z][a-z])|[^\W_]+")
# English endings that the index takes off as well; the rest of the word is compared.
_ENDING = re.compile(r"(?:ing|ed|es|s|ly|ion|ions|e|y|ies)$")
_SHORTEST_STEM = 3


def stem(word: str) -> str:
    """About what the index makes of an English word, to mark what it matched."""
    lower = word.lower()
    cut = _ENDING.sub("", lower)
    return cut if len(cut) >= _SHORTEST_STEM else lower


def stems_of(text: str) -> set[str]:
    """The stems of the words that tell something."""
    return {stem(match[0]) for match in _PART.finditer(text) if match[0].lower() not in STOP_WORDS}


def matched_spans(field: Any, text: str, question: str) -> list[MatchedSpan]:
    """Where the text has words of the question."""
    wanted = stems_of(question)
    spans = [
        MatchedSpan(field=field, start=match.start(), end=match.end())
        for match in _PART.finditer(text)
        if stem(match[0]) in wanted
    ]
    return spans[:_MOST_SPANS]


def snippet_of(content: str, question: str, phrases: Sequence[str]) -> str:
    """The part of the content that has the most words of the question; from its beginning if none has."""
    text = " ".join(content.split())
    if len(text) <= _LONGEST_SNIPPET:
        return text
    start = _best_start(text, stems_of(question), phrases)
    while start and not text[start - 1].isspace():
        start -= 1
    part = text[start : start + _LONGEST_SNIPPET].rstrip()
    return ("… " if start else "") + part + ("" if start + _LONGEST_SNIPPET >= len(text) else " …")


def _best_start(text: str, wanted: set[str], phrases: Sequence[str]) -> int:
    for phrase in phrases:
        place = text.lower().find(" ".join(phrase.lower().split()))
        if place >= 0:
            return max(0, place - 40)
    places = [(match.start(), stem(match[0])) for match in _PART.finditer(text)]
    hits = [(place, word) for place, word in places if word in wanted]
    best, start = 0, 0
    for place, _ in hits:
        inside = {word for other, word in hits if place <= other < place + _LONGEST_SNIPPET - 40}
        if len(inside) > best:
            best, start = len(inside), max(0, place - 40)
    return start


def reason_of(candidate: Candidate, row: Mapping[str, Any], ranking: Ranking) -> str:
    """One sentence on what brought the hit here."""
    clauses = list(_clauses(candidate, row, ranking))
    if not clauses:
        return "It is close to the question in several ways."
    *first, last = clauses
    sentence = f"{', '.join(first)}, and {last}" if first else last
    return f"{sentence[0].upper()}{sentence[1:]}."


def _clauses(candidate: Candidate, row: Mapping[str, Any], ranking: Ranking) -> Iterator[str]:
    things = [entity.key for entity in ranking.meant.entities]
    if "entities" in candidate.ranks:
        if row["subject_key"] in things:
            yield f"it is about {row['subject_key']}"
        else:
            yield "it mentions " + " or ".join(things[:3])
    if candidate.is_by_named:
        names = dict.fromkeys(person.name for person in ranking.meant.people)
        yield f"it is the work of {' or '.join(names)}"
    if candidate.coverage >= 0.005:
        yield f"it has {candidate.coverage:.0%} of the question's words (weighted by rarity)"
    if "vectors" in candidate.ranks and candidate.similarities:
        view, similarity = max(candidate.similarities.items(), key=lambda item: item[1])
        yield f"its {view} is close in meaning ({similarity:.2f})"
    if set(candidate.ranks) == {"clusters"}:
        yield "it belongs to the same piece of work as other hits that fit"
