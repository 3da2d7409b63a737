"""The questions of docs/questions.md, asked of the demo's story: SQL and pandas give the answers it shows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest

import lightfast_pipelines.read as lf
from bench.questions_page import (
    NO_ROWS,
    PAGE,
    DocumentedQuestion,
    as_table,
    questions,
    with_answers,
)
from lightfast_pipelines.store.database import Connection

QUESTIONS = questions()
MOST_JOINS = 2

_each_question = pytest.mark.parametrize(
    "question", QUESTIONS, ids=[question.title for question in QUESTIONS]
)


def _answer(conn: Connection, question: DocumentedQuestion) -> str:
    asked = conn.execute(question.statement.encode(), question.parameters)
    return as_table([column.name for column in asked.description or ()], asked.fetchall())


@pytest.fixture(scope="module")
def written(analyst: Connection, request: pytest.FixtureRequest) -> dict[str, str]:
    """The answers of the page by the titles of their questions; with --rewrite, written anew before."""
    if request.config.getoption("--rewrite", default=False):
        answers = {question.title: _answer(analyst, question) for question in QUESTIONS}
        PAGE.write_text(with_answers(PAGE.read_text(), answers))
    return {question.title: question.answer for question in questions()}


@_each_question
def test_the_sql_of_a_question_gives_the_answer_of_the_page(
    question: DocumentedQuestion, analyst: Connection, written: dict[str, str]
) -> None:
    assert _answer(analyst, question) == written[question.title], (
        "if the new answer is right: pytest tests/questions --rewrite"
    )


@_each_question
@pytest.mark.usefixtures("reading")
def test_the_pandas_of_a_question_gives_the_answer_of_its_sql(
    question: DocumentedQuestion, analyst: Connection
) -> None:
    import pandas as pd

    names: dict[str, Any] = {"lf": lf, "pd": pd, **question.parameters}
    exec(question.pandas, names)
    frame = names["answer"]
    rows = [_without_nan(row) for row in frame.astype(object).itertuples(index=False)]
    assert as_table(list(frame.columns), rows) == _answer(analyst, question)


def _without_nan(row: Sequence[Any]) -> list[Any]:
    import pandas as pd

    return [None if not isinstance(value, list) and pd.isna(value) else value for value in row]


def test_each_question_has_an_answer_with_rows_but_the_one_about_nothing() -> None:
    assert len(QUESTIONS) == 26
    assert [question.title for question in QUESTIONS if question.answer == NO_ROWS] == [
        "Nothing found"
    ]


@_each_question
def test_a_question_needs_at_most_two_joins(question: DocumentedQuestion) -> None:
    assert len(re.findall(r"\bJOIN\b", question.sql)) <= MOST_JOINS


@_each_question
def test_a_question_lists_the_parameters_that_it_uses_and_says_what_is_easy_to_get_wrong(
    question: DocumentedQuestion,
) -> None:
    assert question.variables <= question.parameters.keys()
    unused = question.parameters.keys() - question.variables
    assert not unused
    section = PAGE.read_text().partition(f"\n## {question.title}\n")[2].partition("\n## ")[0]
    assert "*Trap:*" in section


def test_writing_the_answers_that_the_page_has_leaves_it_as_it_is() -> None:
    text = PAGE.read_text()
    assert with_answers(text, {question.title: question.answer for question in questions()}) == text


def test_a_percent_sign_of_the_sql_is_no_parameter() -> None:
    question = DocumentedQuestion("q", {}, "SELECT 1 WHERE a LIKE '%' || :'b'", "", "")
    assert question.statement == "SELECT 1 WHERE a LIKE '%%' || %(b)s"
    assert question.variables == {"b"}
