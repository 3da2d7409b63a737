"""`lightfast search` answers end to end, says why, and says so if nothing is found."""

from __future__ import annotations

import pytest

from lightfast_pipelines.search.results import SearchResults
from tests.cli.conftest import Lightfast


def test_a_question_is_answered_with_reasons(told: Lightfast) -> None:
    result = told("search", "guests are charged twice", "--limit", "3")

    first = result.stdout.splitlines()[1]
    assert "Guests are charged twice" in first
    assert "of the question's words" in first
    assert "results in" in result.stdout


def test_json_holds_the_whole_answer(told: Lightfast) -> None:
    answer = told.json("search", "#51", "--limit", "2", "--source", "github")

    results = SearchResults.model_validate(answer)
    assert len(results.hits) == 2
    assert {hit.source for hit in results.hits} == {"github"}
    again = told.json(
        "search", "#51", "--limit", "2", "--source", "github", "--cursor", str(results.next_cursor)
    )
    assert [hit["rank"] for hit in again["hits"]] == [3, 4]


def test_what_is_not_known_ends_with_status_1(told: Lightfast) -> None:
    result = told("search", "kafka consumer lag in the shipping topic", exits=1)

    assert "nothing found" in result.stderr
    assert told.json("search", "zzqx", exits=1)["hits"] == []


@pytest.mark.parametrize(
    ("words", "exits"),
    [
        (("search", " "), 1),
        (("search", "key", "--zone", "Mars/Olympus"), 2),
        (("search", "key", "--cursor", "nonsense"), 1),
        (("search", "key", "--by", "nobody-here"), 1),
        (("search", "key", "--since", "soon"), 2),
        (("search", "key", "--workspace", "nowhere"), 1),
    ],
)
def test_what_cannot_be_asked_is_refused(
    told: Lightfast, words: tuple[str, ...], exits: int
) -> None:
    told(*words, exits=exits)


def test_the_fast_mode_answers_too(told: Lightfast) -> None:
    assert told.json("search", "guests are charged twice", "--fast")["mode"] == "fast"
