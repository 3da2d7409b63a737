"""Asks about the observations whose question is open, the most significant first, many in a request.

An answer is stored, and the deliveries of its observations are captured again: capture applies it, now
and after every rebuild. Whatever fails, the observation keeps what the local rules made of it.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from lightfast_pipelines.domain.language_answers import PURPOSE, Question, question_about
from lightfast_pipelines.language.asking import Asker, Clock, NotAskedError, asker_for
from lightfast_pipelines.language.observations import (
    MOST_OBSERVATIONS,
    PROMPT_VERSION,
    prompt_about,
    read_answers,
)
from lightfast_pipelines.language.port import Language, PromptRejectedError, Reply
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.model_answers import (
    NewAnswer,
    OpenQuestion,
    close_questions,
    count_open,
    open_questions,
    store_answers,
)

# Observations of a workspace that are read at once: the others' turn comes after two requests.
_SHARE = 2 * MOST_OBSERVATIONS
_MOST_COUNTED = 100_000
# The model itself says so, and says it again.
_FINAL = frozenset({"refused"})
# The same text is at fault, whoever else succeeds.
_CERTAIN = frozenset({"refused", "cut short"})


@dataclass(slots=True)
class LanguageReport:
    """Observations that were asked about, that got an answer, and whose answer was there already.

    `fallbacks` counts, by the problem, the contents that keep what the local rules say; `stopped` says
    why the run ended before everything was asked, `waiting` how many observations are left.
    """

    asked: int = 0
    answered: int = 0
    cached: int = 0
    requests: int = 0
    waiting: int = 0
    fallbacks: Counter[str] = field(default_factory=Counter)
    stopped: str | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class _Content:
    """What several observations of a workspace have in common, and is asked about once."""

    observations: Sequence[OpenQuestion]
    question: Question


def answer_observations(
    conn: Connection,
    language: Language,
    *,
    clock: Clock,
    max_rows: int,
    progress: Callable[[int], object] = lambda _count: None,
    between: Callable[[], None] = lambda: None,
) -> LanguageReport:
    """Asks about at most `max_rows` observations. The caller holds the stage's lock.

    `progress` gets the number of observations of each request, `between` runs between pages.
    """
    began = time.monotonic()
    report = LanguageReport()
    try:
        asker = asker_for(conn, language, PURPOSE, clock)
        try:
            while report.asked < max_rows and _page(conn, asker, report, progress):
                between()
        finally:
            report.requests = asker.requests
    except NotAskedError as error:
        report.stopped = str(error)
    report.waiting = count_open(conn, PURPOSE, PROMPT_VERSION, clock(), most=_MOST_COUNTED)
    conn.rollback()
    report.seconds = time.monotonic() - began
    return report


def _page(
    conn: Connection, asker: Asker, report: LanguageReport, progress: Callable[[int], object]
) -> bool:
    """Asks about a page of observations; returns whether there were any."""
    page = open_questions(conn, PURPOSE, PROMPT_VERSION, asker.clock(), share=_SHARE)
    report.cached += close_questions(
        conn, [question for question in page if question.is_settled], is_answered=True
    )
    conn.commit()
    contents = _contents([question for question in page if not question.is_settled])
    for asked_contents, answers in _ask(asker, contents):
        observations = [o for content in asked_contents for o in content.observations]
        _store(conn, asker, asked_contents, answers)
        report.asked += len(observations)
        for content, answer in zip(asked_contents, answers, strict=True):
            if answer.problem is None:
                report.answered += len(content.observations)
            else:
                report.fallbacks[answer.problem] += 1
        progress(len(observations))
    return bool(page)


def _contents(questions: Sequence[OpenQuestion]) -> list[_Content]:
    """The distinct contents, those of one workspace together, and each in order of significance."""
    by_key: dict[tuple[int, str], list[OpenQuestion]] = {}
    for question in questions:
        by_key.setdefault(question.key, []).append(question)
    contents = []
    for group in by_key.values():
        first = group[0]
        asked = question_about(
            first.source_type, first.observation_type, first.title, first.content, first.files
        )
        assert asked is not None, "capture opens questions only about what can be asked"
        contents.append(_Content(group, asked))
    return contents


def _ask(
    asker: Asker, contents: Sequence[_Content]
) -> Iterator[tuple[Sequence[_Content], list[NewAnswer]]]:
    """What came of each content. A request that brings no answer is asked again in halves."""
    parts: deque[Sequence[_Content]] = deque()
    ordered = sorted(contents, key=lambda content: content.observations[0].workspace_id)
    # Texts of two tenants never share a request.
    for _, group in groupby(ordered, key=lambda content: content.observations[0].workspace_id):
        of_workspace = list(group)
        parts.extend(
            of_workspace[start : start + MOST_OBSERVATIONS]
            for start in range(0, len(of_workspace), MOST_OBSERVATIONS)
        )
    while parts:
        part = parts.popleft()
        reply: Reply | None = None
        try:
            reply = asker.ask(prompt_about([content.question for content in part]))
            answers = answers_in(reply, [content.observations[0].key for content in part])
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
            key = part[0].observations[0].key
            yield part, [NewAnswer(key, None, answers, answers in _FINAL, *tokens)]
        else:
            # Nothing has succeeded, so it is not known to be the content's fault.
            asker.pause(f"the answer is of no use: {answers}")
            raise NotAskedError(f"the answer is of no use: {answers}")


def answers_in(reply: Reply, keys: Sequence[tuple[int, str]]) -> list[NewAnswer] | str:
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


def _store(
    conn: Connection, asker: Asker, contents: Sequence[_Content], answers: Sequence[NewAnswer]
) -> None:
    """Stores the answers and has their observations captured again, in one transaction."""
    store_answers(conn, PURPOSE, PROMPT_VERSION, asker.model.name, answers, asker.clock())
    answered = [answer.key for answer in answers if answer.problem is None]
    given_up = [answer.key for answer in answers if answer.is_final]
    for keys, is_answered in ((answered, True), (given_up, False)):
        wanted = frozenset(keys)
        close_questions(
            conn,
            [o for content in contents for o in content.observations if o.key in wanted],
            is_answered=is_answered,
        )
    conn.commit()
