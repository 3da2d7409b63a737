"""Sentences of summaries that a language model wrote, from its stored answers: nothing is asked here.

`summary_questions.py` asks about the clusters for which there is no answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lightfast_pipelines.domain.language_summaries import (
    PURPOSE,
    content_hash,
    read_sentences,
    shown_members,
)
from lightfast_pipelines.domain.summaries import Member, Sentence
from lightfast_pipelines.language.summaries import PROMPT_VERSION
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.model_answers import StoredAnswer, is_settled, load_answers


@dataclass(frozen=True, slots=True)
class ModelSentences:
    """The sentences of a model that the members bear out, and the question if it is still open."""

    sentences: tuple[Sentence, ...]
    question_hash: str | None


def model_sentences(
    conn: Connection, workspace_id: int, clusters: Mapping[str, Sequence[Member]]
) -> dict[str, ModelSentences]:
    """What the newest answer about each cluster says, in one query for all."""
    shown = {cluster: shown_members(members) for cluster, members in clusters.items()}
    keys = {cluster: (workspace_id, content_hash(members)) for cluster, members in shown.items()}
    answers = load_answers(conn, PURPOSE, set(keys.values()))
    return {
        cluster: _sentences(key[1], clusters[cluster], answers.get(key, []))
        for cluster, key in keys.items()
    }


def _sentences(
    question_hash: str, members: Sequence[Member], stored: Sequence[StoredAnswer]
) -> ModelSentences:
    sentences = next(
        (read for answer in stored if (read := read_sentences(answer.answer, members))), ()
    )
    return ModelSentences(sentences, None if is_settled(stored, PROMPT_VERSION) else question_hash)
