"""Topics of an observation: its category, scope and labels, and the significant words of its title."""

from __future__ import annotations

from collections.abc import Sequence

from lightfast_pipelines.domain.classification import Classification
from lightfast_pipelines.domain.events import Statement
from lightfast_pipelines.domain.stop_words import STOP_WORDS

_MAX_KEYWORDS = 4
_MAX_TOPICS = 12


def topics_of(
    statement: Statement, classification: Classification, words: Sequence[str]
) -> tuple[str, ...]:
    """At most 12 distinct topics in lower case, the most significant first.

    `words` are the title's, in order; a bracketed tag before the title (`[PR Merged]`) is left out.
    """
    topics: dict[str, None] = {}
    if classification.is_certain:
        topics[classification.category] = None
    if classification.prefix is not None and classification.prefix.scope:
        topics[classification.prefix.scope] = None
    for reference in statement.references:
        if reference.type == "label":
            label = (reference.label or reference.id).strip().lower()
            if label:
                topics[label] = None
    for category in classification.secondary:
        topics[category] = None
    keywords = 0
    for word in words:
        if keywords == _MAX_KEYWORDS:
            break
        if len(word) > 2 and word not in STOP_WORDS and not word.isdigit() and word not in topics:
            topics[word] = None
            keywords += 1
    if statement.source in topics:
        topics.pop(statement.source)
        topics[statement.source] = None
    return tuple(topics)[:_MAX_TOPICS]
