"""Distinct contents of observations, how they are asked about, and the storing of what came of them.

`stage.py` asks at once, `batches.py` later and for less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lightfast_pipelines.domain.language_answers import PURPOSE, Question, question_about
from lightfast_pipelines.language.asking import Asker
from lightfast_pipelines.language.observations import (
    MOST_OBSERVATIONS,
    PROMPT_VERSION,
    prompt_about,
    read_answers,
)
from lightfast_pipelines.language.parts import Read
from lightfast_pipelines.language.port import Prompt
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.model_answers import (
    ContentKey,
    NewAnswer,
    OpenQuestion,
    close_questions,
    store_answers,
)


@dataclass(frozen=True, slots=True)
class Content:
    """What several observations of a workspace have in common, and is asked about once."""

    observations: Sequence[OpenQuestion]
    question: Question

    @property
    def key(self) -> ContentKey:
        return self.observations[0].key


def distinct_contents(questions: Sequence[OpenQuestion]) -> list[Content]:
    """The distinct contents, in the order of the questions."""
    by_key: dict[ContentKey, list[OpenQuestion]] = {}
    for question in questions:
        by_key.setdefault(question.key, []).append(question)
    contents = []
    for group in by_key.values():
        first = group[0]
        asked = question_about(
            first.source_type, first.observation_type, first.title, first.content, first.files
        )
        if asked is not None:  # always, unless other rules opened the question
            contents.append(Content(group, asked))
    return contents


class ObservationForm:
    """How observations are asked about (`language/parts.py`)."""

    @property
    def most(self) -> int:
        return MOST_OBSERVATIONS

    def key(self, item: Content) -> ContentKey:
        return item.key

    def prompt(self, items: Sequence[Content]) -> Prompt:
        return prompt_about([content.question for content in items])

    def read(self, text: str, items: Sequence[object]) -> Read | None:
        answers = read_answers(text, len(items))
        if answers is None:
            return None
        return [answer.as_json() if answer else None for answer in answers]


OBSERVATIONS = ObservationForm()


def store_and_apply(
    conn: Connection, asker: Asker, contents: Sequence[Content], answers: Sequence[NewAnswer]
) -> None:
    """Stores the answers and has their observations captured again, in one transaction."""
    store_answers(conn, PURPOSE, PROMPT_VERSION, asker.model.name, answers, asker.clock())
    answered = frozenset(answer.key for answer in answers if answer.problem is None)
    given_up = frozenset(answer.key for answer in answers if answer.is_final)
    for keys, is_answered in ((answered, True), (given_up, False)):
        close_questions(
            conn,
            [o for content in contents for o in content.observations if o.key in keys],
            is_answered=is_answered,
        )
    conn.commit()
