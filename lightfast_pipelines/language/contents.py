"""Distinct contents of observations, the requests about them, and what comes of each request.

`stage.py` asks at once, `batches.py` later and for less; both read replies here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from lightfast_pipelines.domain.language_answers import PURPOSE, Question, question_about
from lightfast_pipelines.language.asking import Asker, NotAskedError
from lightfast_pipelines.language.observations import (
    MOST_OBSERVATIONS,
    PROMPT_VERSION,
    prompt_about,
    read_answers,
)
from lightfast_pipelines.language.port import Prompt, PromptRejectedError, Reply
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.model_answers import (
    ContentKey,
    NewAnswer,
    OpenQuestion,
    close_questions,
    store_answers,
)

# The model itself says so, and says it again.
_FINAL = frozenset({"refused"})
# The content is at fault even if nothing else succeeds: the model was well enough to say so.
_CERTAIN = frozenset({"refused", "cut short"})


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


def requests_about(contents: Sequence[Content]) -> list[Sequence[Content]]:
    """The contents of each request. Texts of two tenants never share one."""
    ordered = sorted(contents, key=lambda content: content.key[0])
    requests: list[Sequence[Content]] = []
    for _, group in groupby(ordered, key=lambda content: content.key[0]):
        of_workspace = list(group)
        requests.extend(
            of_workspace[start : start + MOST_OBSERVATIONS]
            for start in range(0, len(of_workspace), MOST_OBSERVATIONS)
        )
    return requests


def prompt_of(request: Sequence[Content]) -> Prompt:
    return prompt_about([content.question for content in request])


def answers_in(reply: Reply, keys: Sequence[ContentKey]) -> list[NewAnswer] | str:
    """What the reply says about each content, or the problem if it says nothing about any of them."""
    if reply.ending != "complete":
        return reply.ending
    answers = read_answers(reply.text, len(keys))
    if answers is None or not any(answers):
        return "invalid"
    shares = _shares(reply.tokens.input, len(keys)), _shares(reply.tokens.output, len(keys))
    return [
        NewAnswer(key, answer.as_json(), None, False, *tokens)
        if answer
        else NewAnswer(key, None, "invalid", False, *tokens)
        for key, answer, *tokens in zip(keys, answers, *shares, strict=True)
    ]


def _shares(total: int, parts: int) -> list[int]:
    """The total in equal shares that add up to it."""
    return [total // parts + (number < total % parts) for number in range(parts)]


def ask_in_parts(
    asker: Asker, requests: Sequence[Sequence[Content]]
) -> Iterator[tuple[Sequence[Content], list[NewAnswer]]]:
    """What came of each content. A request that brings no answer is asked again in halves."""
    parts = deque(requests)
    while parts:
        part = parts.popleft()
        reply: Reply | None = None
        try:
            reply = asker.ask(prompt_of(part))
            answers = answers_in(reply, [content.key for content in part])
        except PromptRejectedError:
            answers = "rejected"
        if not isinstance(answers, str):
            asker.was_useful()
            yield part, answers
            continue
        asker.was_useless(answers)
        if len(part) > 1:
            parts += (part[: len(part) // 2], part[len(part) // 2 :])
        elif answers in _CERTAIN or asker.has_succeeded:
            tokens = (reply.tokens.input, reply.tokens.output) if reply else (0, 0)
            yield part, [NewAnswer(part[0].key, None, answers, answers in _FINAL, *tokens)]
        else:
            # Nothing has succeeded, so it is not known to be the content's fault.
            asker.pause(f"the answer is of no use: {answers}")
            raise NotAskedError(f"the answer is of no use: {answers}")


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
