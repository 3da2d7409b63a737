"""What is asked of the memory costs by its answer: no plan reads a history, or more of a longer one.

The questions of `bench/questions.py` are asked of two grown histories, one four times as long. Pages and
rows are counted, not time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bench.grown_rows import TABLES
from bench.question import Question, place_in
from bench.questions import QUESTIONS
from bench.recorded_queries import Plan, Recorder, Statement
from lightfast_pipelines.language import status as language_status
from lightfast_pipelines.store import row_counts
from tests.bench.conftest import GrownDatabase

# Tables that grow with history. The others have a row for a workspace, a resource or what waits.
HISTORY = {*TABLES} - {"installations", "resources", "integrations"}
# Lists of all that is linked, or look into each repository that is: as long as that is.
LISTS = {
    *("workspace list", "integration list"),
    *("the thing of a number", "the thing of no name"),
}
# Read the latest 10,000, which neither history has.
UP_TO_A_BOUND = {"checks, observations without a payload", "docs: Similar past incidents"}
# Asked once after rules have changed: an outcome does not say of which provider it is.
ONCE = {"sensor, outdated deliveries"}
# Pages of another level of an index, or of rows that lie farther apart.
SOME_PAGES, SOME_ROWS = 80, 300


def _plans(grown: GrownDatabase, question: Question) -> list[tuple[Statement, Plan]]:
    with Recorder(grown.database) as recorder:
        place = place_in(recorder.conn, grown.grown.newest.slug)
        # Once before: what is looked up but once in a session is no part of it.
        question.ask(recorder.conn, place)
        recorder.conn.rollback()
        recorder.statements.clear()
        question.ask(recorder.conn, place)
        recorder.conn.rollback()
        return [
            (statement, plan)
            for statement in list(recorder.statements)
            if (plan := recorder.plan(statement)) is not None
        ]


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
def test_a_question_costs_as_much_on_a_history_four_times_as_long(
    question: Question,
    grown_databases: dict[str, GrownDatabase],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Bounds that neither history reaches.
    monkeypatch.setattr(row_counts, "COUNTED_ROWS", 0)
    monkeypatch.setattr(language_status, "_MOST_COUNTED", 100)
    small = _plans(grown_databases["small"], question)
    large = _plans(grown_databases["large"], question)
    assert [statement.query for statement, _ in large] == [
        statement.query for statement, _ in small
    ]
    if question.name in LISTS | UP_TO_A_BOUND | ONCE:
        return
    for (statement, before), (_, after) in zip(small, large, strict=True):
        told = f"{statement.query}\n{after.text}"
        assert not after.scanned() & HISTORY, told
        assert after.pages <= 1.5 * before.pages + SOME_PAGES, told
        assert after.most_rows() <= 1.5 * before.most_rows() + SOME_ROWS, told


def _loops(plan: dict[str, Any], kinds: set[str]) -> Iterator[int]:
    if plan["Node Type"] in kinds:
        yield plan["Actual Loops"]
    for child in plan.get("Plans", ()):
        yield from _loops(child, kinds)


@pytest.mark.parametrize(
    ("query", "kinds"),
    [
        (
            """
            SELECT i.name, e.title FROM incidents i
            JOIN errors e ON e.workspace_id = i.workspace_id AND e.key = i.error
            """,
            {"Append"},
        ),
        (
            """
            SELECT f.path, count(*) FROM release_commits c
            JOIN file_changes f ON f.workspace_id = c.workspace_id AND f.commit = c.commit
            WHERE c.release = (SELECT max(key) FROM releases) GROUP BY 1
            """,
            {"ProjectSet"},
        ),
    ],
    ids=["incidents and errors", "releases and files"],
)
def test_joined_views_are_each_read_once(
    query: str, kinds: set[str], grown_databases: dict[str, GrownDatabase]
) -> None:
    with grown_databases["large"].database.connect("analyst", autocommit=True) as conn:
        found = conn.execute(f"EXPLAIN (ANALYZE, FORMAT json) {query}".encode()).fetchone()
    assert found is not None
    loops = list(_loops(found[0][0]["Plan"], kinds))
    assert loops
    assert max(loops) == 1
