"""Topics of an observation: its category, labels, scope and the words that tell most.

Never the provider's name: it says nothing of what an observation is about.
"""

from __future__ import annotations

from collections.abc import Sequence

from lightfast_pipelines.domain.classification import Classification
from lightfast_pipelines.domain.events import Statement

_STOP_WORDS = (
    "about above after again against all also always and another any are because been before being below between "
    "both but bug can cannot change changed changes close closed closes code could did does doing done down draft "
    "during each else even every existing file files fix fixed fixes fixing for from get gets got had has have having "
    "here how http https into issue issued issues its itself just like made make makes making merge merged merges "
    "minor more most much must need needed needs new not now off old one only open opened other our out over own "
    "pull push pushed ready release released reopened request requested requests review same see set should since "
    "some still such take test tests than that the their them then there these they thing things this those through "
    "too two under until update updated updates upon use used uses using version very via was way well were what when "
    "where which while who whole why will with without work working works would you your add added adding adds "
    "remove removed removes removing allow allows move moved support into pr"
)
_STOP = frozenset(_STOP_WORDS.split())
_MAX_KEYWORDS = 4
_MAX_TOPICS = 12


def topics_of(
    statement: Statement, classification: Classification, words: Sequence[str]
) -> tuple[str, ...]:
    """Distinct topics, lower case, most telling first, at most 12.

    `words` are the title's, in order; a bracketed tag before the title (`[PR Merged]`) is left out.
    """
    topics: dict[str, None] = {classification.category: None}
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
        if len(word) > 2 and word not in _STOP and not word.isdigit() and word not in topics:
            topics[word] = None
            keywords += 1
    if "other" in topics and len(topics) > 1:
        del topics["other"]
        topics["other"] = None
    if statement.source in topics:
        topics.pop(statement.source)
        topics[statement.source] = None
    return tuple(topics)[:_MAX_TOPICS]
