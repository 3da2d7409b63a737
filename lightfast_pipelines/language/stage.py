"""Asks about the observations whose question is open, the most significant first, many in a request.

An answer is stored, and the deliveries of its observations are captured again: capture applies it, now
and after every rebuild. Whatever fails, the observation keeps what the local rules made of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lightfast_pipelines.domain.language_answers import PURPOSE
from lightfast_pipelines.language.asking import Asker, AskingReport, Clock, ask_while_possible
from lightfast_pipelines.language.batches import read_batches, submit_backlog
from lightfast_pipelines.language.contents import (
    OBSERVATIONS,
    Content,
    distinct_contents,
    store_and_apply,
)
from lightfast_pipelines.language.observations import MOST_OBSERVATIONS, PROMPT_VERSION
from lightfast_pipelines.language.parts import ask_in_parts, requests_about
from lightfast_pipelines.language.port import Language
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.model_answers import close_questions, count_open, open_questions
from lightfast_pipelines.store.model_batches import count_batched

# Observations of a workspace that are read at once: the others' turn comes after two requests.
_SHARE = 2 * MOST_OBSERVATIONS
_MOST_COUNTED = 100_000


@dataclass(slots=True)
class LanguageReport(AskingReport):
    """Observations that were asked about, that got an answer, and whose answer was there already.

    `waiting` says how many observations are left, `batched` how many contents wait for the results of a
    batch.
    """

    answered: int = 0
    cached: int = 0
    waiting: int = 0
    batched: int = 0


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

    A backlog goes to batches, whose results a later run reads. `progress` gets the number of
    observations of each request, `between` runs between pages.
    """
    report = LanguageReport()

    def ask(asker: Asker, contents: Sequence[Content]) -> None:
        _ask(conn, asker, contents, report, progress)

    def work(asker: Asker) -> None:
        ask(asker, read_batches(conn, asker))
        submit_backlog(conn, asker)
        while report.asked < max_rows and _page(conn, asker, report, ask):
            between()

    ask_while_possible(conn, language, PURPOSE, clock, report, work)
    report.waiting = count_open(conn, PURPOSE, PROMPT_VERSION, clock(), most=_MOST_COUNTED)
    report.batched = count_batched(conn)
    conn.rollback()
    return report


def _page(
    conn: Connection,
    asker: Asker,
    report: LanguageReport,
    ask: Callable[[Asker, Sequence[Content]], None],
) -> bool:
    """Asks about a page of observations; returns whether there were any."""
    page = open_questions(conn, PURPOSE, PROMPT_VERSION, asker.clock(), share=_SHARE)
    report.cached += close_questions(
        conn, [question for question in page if question.is_settled], is_answered=True
    )
    conn.commit()
    ask(asker, distinct_contents([question for question in page if not question.is_settled]))
    return bool(page)


def _ask(
    conn: Connection,
    asker: Asker,
    contents: Sequence[Content],
    report: LanguageReport,
    progress: Callable[[int], object],
) -> None:
    requests = requests_about(OBSERVATIONS, contents)
    for part, answers in ask_in_parts(asker, OBSERVATIONS, requests):
        store_and_apply(conn, asker, part, answers)
        observations = sum(len(content.observations) for content in part)
        report.asked += observations
        for content, answer in zip(part, answers, strict=True):
            if answer.problem is None:
                report.answered += len(content.observations)
            else:
                report.fallbacks[answer.problem] += 1
        progress(observations)
