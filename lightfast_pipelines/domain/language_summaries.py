"""What a language model is shown of a cluster, and which sentences of its answer are kept.

A sentence needs citations that exist and texts that bear it out, whoever wrote it. The first sentence of
a summary, which counts, is never a model's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lightfast_pipelines.domain.citations import is_supported
from lightfast_pipelines.domain.prose import LONGEST_SENTENCE, cut_sentence
from lightfast_pipelines.domain.stop_words import STOP_WORDS
from lightfast_pipelines.domain.summaries import Member, Sentence, cite

PURPOSE = "summaries"

MOST_SENTENCES = 3
_MOST_MEMBERS = 24
_LONGEST_TEXT = 400
_MOST_CITED = 6


def shown_members(members: Sequence[Member]) -> tuple[Member, ...]:
    """The members that a model reads: of each text the first, those with most to say, in order of time."""
    first: dict[str, Member] = {}
    for member in sorted(members, key=lambda member: (member.at, member.external_id)):
        first.setdefault(member.text_hash or member.external_id, member)
    telling = sorted(
        first.values(),
        key=lambda m: (m.is_bot, -min(len(m.content), _LONGEST_TEXT), m.at, m.external_id),
    )
    return tuple(
        sorted(telling[:_MOST_MEMBERS], key=lambda member: (member.at, member.external_id))
    )


def shown_text(member: Member) -> str:
    """What a model reads of a member's text."""
    return member.content[:_LONGEST_TEXT]


def content_hash(members: Sequence[Member]) -> str:
    """Of everything that a model is shown of these members: the same in any database."""
    shown = [[member.external_id, member.title, shown_text(member)] for member in members]
    return hashlib.sha256(json.dumps(shown).encode("utf-8", "surrogatepass")).hexdigest()


def read_sentences(value: object, members: Sequence[Member]) -> tuple[Sentence, ...] | None:
    """The sentences of a decoded answer that these members bear out; None if it has not the right form.

    A sentence that cites what does not exist, or claims what the cited texts do not say, is dropped; a
    long one is cut first.
    """
    if not isinstance(value, Mapping) or not isinstance(value.get("sentences"), list):
        return None
    return tuple(dict.fromkeys(_sentences(value["sentences"], members)))[:MOST_SENTENCES]


def as_json(sentences: Sequence[Sentence]) -> dict[str, Any]:
    """The answer as it is stored."""
    return {
        "sentences": [
            {"text": sentence.text, "observations": list(sentence.observations)}
            for sentence in sentences
        ]
    }


def _sentences(sentences: Sequence[object], members: Sequence[Member]) -> Iterator[Sentence]:
    by_id = {member.external_id: member for member in members}
    for sentence in sentences:
        if not isinstance(sentence, Mapping):
            continue
        text, cited = sentence.get("text"), sentence.get("observations")
        if not isinstance(text, str) or not isinstance(cited, list) or not cited:
            continue
        ids = {id_ for id_ in cited if isinstance(id_, str)}
        if len(ids) != len(cited) or len(ids) > _MOST_CITED or not ids <= by_id.keys():
            continue
        one_line = cut_sentence(" ".join(text.split()), LONGEST_SENTENCE)
        texts = [f"{by_id[id_].title}\n{by_id[id_].content}" for id_ in sorted(ids)]
        if one_line and _is_borne_out(one_line, texts):
            yield cite(one_line, ids, members)


def _is_borne_out(sentence: str, texts: Sequence[str]) -> bool:
    """Whether the texts contain what the sentence claims, by its first word too.

    A quote begins with a word of its source, so a capital there says nothing. A model's sentence may begin
    with a name that nobody wrote.
    """
    first = sentence.split(" ", 1)[0].lower()
    return is_supported(sentence if first in STOP_WORDS else f"it {sentence}", texts)[0]
