"""Applies the language model's stored answers to the facts of a batch, and opens the questions left.

No model is asked here: `language/stage.py` does that later, and has the deliveries captured again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from lightfast_pipelines.domain.language_answers import (
    PURPOSE,
    question_of,
    read_answer,
    with_answer,
)
from lightfast_pipelines.language.observations import PROMPT_VERSION
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.model_answers import StoredAnswer, is_settled, load_answers

if TYPE_CHECKING:
    from lightfast_pipelines.capture.facts import Fact
    from lightfast_pipelines.capture.statements import FactKey


def with_answers(conn: Connection, facts: Mapping[FactKey, Fact]) -> dict[FactKey, Fact]:
    """The facts, each with what the newest answer about its content adds, in one query for all.

    A question stays open until there is an answer of the current prompt version, or asking was given up.
    """
    contents = {
        key: (fact.workspace.id, question.content_hash)
        for key, fact in facts.items()
        if (question := question_of(fact.statement, fact.enriched)) is not None
    }
    answers = load_answers(conn, PURPOSE, set(contents.values()))
    return {
        key: _with_answers(fact, contents[key], answers.get(contents[key], []))
        if key in contents
        else fact
        for key, fact in facts.items()
    }


def _with_answers(fact: Fact, content: tuple[int, str], stored: list[StoredAnswer]) -> Fact:
    for answer in stored:
        read = read_answer(answer.answer)
        if read is not None:
            fact = replace(fact, enriched=with_answer(fact.statement, fact.enriched, read))
            break
    return fact if is_settled(stored, PROMPT_VERSION) else replace(fact, question_hash=content[1])
