"""Checks that the texts which a sentence cites contain what the sentence claims.

Names, numbers, versions, paths and identifiers are claims that can be wrong without looking wrong, so the
cited texts must contain each of them. Of the other words, most must be there, in any inflection.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from lightfast_pipelines.domain.stop_words import STOP_WORDS

# The share of the ordinary words that the texts must contain. A sentence that rephrases its sources
# needs some freedom. Of 2,225 titles compared with the text of another commit, 99 % share at most half.
LEAST_SHARE = 0.6
_TOKEN = re.compile(r"[^\W_](?:[\w./#@+-]*\w)?")
_ORDINARY = re.compile(r"[a-z]+(?:-[a-z]+)*")
_SHORTEST_STEM = 3
# Words of summaries that describe the sources and are not in them.
_DESCRIBING_WORDS = """
work team change changes changed commit commits request requests pull issue issues author authors people
several various following including related along together across cluster summary effort focus focused
involve involved address addressed describe introduce introduced
"""
_DESCRIBING = frozenset(_DESCRIBING_WORDS.split())


def is_supported(sentence: str, texts: Iterable[str]) -> tuple[bool, str]:
    """(whether the texts contain what the sentence claims, why not).

    >>> is_supported("Ann retried payment 3 times.", ["Retry the payment", "by Ann"])
    (False, "the cited texts do not contain '3'")
    """
    source = "\n".join(texts).casefold()
    source_tokens = set(_TOKEN.findall(source))
    source_tokens |= {part for token in source_tokens for part in re.split(r"[./#@+_-]", token)}
    stems = {_stem(token) for token in source_tokens}
    missing, ordinary = [], 0
    for position, token in enumerate(_TOKEN.findall(sentence)):
        word = token.casefold()
        is_claim = not _ORDINARY.fullmatch(word) or (token != word and position > 0)
        if is_claim:
            # Where the source has `a`/`b` in markup, a sentence without markup has a/b.
            parts = word.split("/")
            is_there = word in source_tokens or _stem(word) in stems
            if not is_there and (len(parts) == 1 or not source_tokens.issuperset(parts)):
                return False, f"the cited texts do not contain {token!r}"
        elif word not in STOP_WORDS and word not in _DESCRIBING:
            ordinary += 1
            if word not in source_tokens and _stem(word) not in stems:
                missing.append(word)
    if ordinary - len(missing) < LEAST_SHARE * ordinary:
        return False, f"the cited texts do not speak of {', '.join(missing[:5])}"
    return True, ""


def _stem(word: str) -> str:
    """The word without its ending: `retries`, `retried` and `retry` are `retr`."""
    for ending in ("ization", "isation", "ations", "ation", "ments", "ment", "ings", "ing", "ies", "ied",
                   "ers", "ed", "er", "es", "s", "y", "e"):  # fmt: skip
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM:
            stem = word[: -len(ending)]
            return stem[:-1] if len(stem) > _SHORTEST_STEM and stem[-1] == stem[-2] else stem
    return word
