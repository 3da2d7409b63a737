"""Scores how much an observation matters, from 0 to 100, and names the factors of the score.

They are the base of the event type, signals by whole words of the text, references, and length.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from lightfast_pipelines.domain.events import Statement

_WORD = re.compile(r"\w+")
_CVE = re.compile(r"\bcve-\d+\b")

# (factor, points, whole words): each row counts once.
_SIGNALS: tuple[tuple[str, int, frozenset[str]], ...] = (
    (
        "critical_keyword",
        20,
        frozenset({"breaking", "critical", "urgent", "security", "vulnerability"}),
    ),
    (
        "incident_keyword",
        15,
        frozenset({"hotfix", "emergency", "incident", "outage", "downtime"}),
    ),
    (
        "important_keyword",
        10,
        frozenset({"major", "important", "significant", "release", "deploy"}),
    ),
    ("feature_keyword", 8, frozenset({"feature", "feat", "new"})),
    ("fix_keyword", 5, frozenset({"fix", "bug", "patch", "resolve"})),
    (
        "routine_keyword",
        -10,
        frozenset({"chore", "deps", "dependencies", "bump", "update", "upgrade"}),
    ),
    ("trivial_keyword", -15, frozenset({"typo", "whitespace", "formatting", "lint"})),
    ("wip_keyword", -10, frozenset({"wip", "draft", "temp", "test"})),
)


def words_of(text: str) -> list[str]:
    """The words of a text in lower case and in order, as the rules match them."""
    return _WORD.findall(text.lower())


def score(
    statement: Statement, words: Collection[str] | None = None
) -> tuple[int, tuple[str, ...]]:
    """Score and factors, e.g. `(68, ("base:pull-request.merged", "feature_keyword"))`.

    `words` are `words_of(title + content)`, for callers that have them already.
    """
    text = f"{statement.title} {statement.content}"
    present = frozenset(words_of(text) if words is None else words)
    total = statement.base_significance
    factors = [f"base:{statement.source_type}"]
    for factor, points, signal in _SIGNALS:
        hit = not signal.isdisjoint(present)
        if not hit and factor == "critical_keyword" and "cve" in present:
            hit = _CVE.search(text.lower()) is not None
        if hit:
            total += points
            factors.append(factor)
    if statement.references:
        total += min(3 * len(statement.references), 15)
        factors.append(f"references:{len(statement.references)}")
    if len(statement.content) > 500:
        total += 5
        factors.append("substantial_content")
    elif len(statement.content) > 200:
        total += 2
        factors.append("moderate_content")
    return max(0, min(100, total)), tuple(factors)
