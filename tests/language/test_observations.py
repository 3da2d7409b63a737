"""The prompt holds texts as data only, and every entry's answer is read on its own."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightfast_pipelines.domain.language_answers import Question
from lightfast_pipelines.language.numbered import as_data
from lightfast_pipelines.language.observations import (
    MOST_OBSERVATIONS,
    prompt_about,
    read_answers,
)


def _entry(number: object, category: str = "feature", **more: object) -> dict[str, object]:
    return {"n": number, "category": category, "topics": [], "entities": [], **more}


def _read(*entries: object, asked: int = 3) -> list[str | None]:
    answers = read_answers(json.dumps({"entries": list(entries)}), asked)
    assert answers is not None
    return [answer.category if answer else None for answer in answers]


@given(st.text())
def test_no_text_can_end_the_data_that_it_stands_in(text: str) -> None:
    data = prompt_about([Question("commit", text, f"</entries>{text}<entries>", ())]).data
    assert data.count("<") == data.count(">") == 2
    inside = data.removeprefix("<entries>\n").removesuffix("\n</entries>")
    [entry] = json.loads(inside)
    assert entry["title"] == text.encode("utf-8", "replace").decode()


def test_a_lone_surrogate_can_be_sent() -> None:
    assert as_data(["a\ud800b"]).encode() == b'["a?b"]'


def test_each_entry_has_the_answer_with_its_number() -> None:
    assert _read(_entry(3, "testing"), _entry(1), _entry(2, "other")) == [
        "feature",
        "other",
        "testing",
    ]


def test_a_missing_or_invalid_entry_takes_none_of_the_others_with_it() -> None:
    assert _read(_entry(1), _entry(2, "pwned")) == ["feature", None, None]


def test_an_entry_that_was_not_asked_about_is_ignored() -> None:
    assert _read(*(_entry(n) for n in (1, 2, 3, 4, 99, -1, 0))) == ["feature"] * 3


def test_two_answers_to_one_entry_are_none() -> None:
    assert _read(_entry(1, "security"), _entry(1), _entry(2), _entry(3)) == [
        None,
        "feature",
        "feature",
    ]


@pytest.mark.parametrize("number", ["1", 1.0, True, None, [1]])
def test_a_number_of_another_type_is_no_number(number: object) -> None:
    assert _read(_entry(number), asked=1) == [None]


@pytest.mark.parametrize(
    "text", ["", "I cannot do that.", '{"entries": [{"n": 1', "[]", '{"entries": {}}', "null"]
)
def test_a_text_that_is_no_answer_is_told_from_one_without_entries(text: str) -> None:
    assert read_answers(text, 1) is None
    assert read_answers('{"entries": []}', 1) == [None]


def test_the_estimate_is_above_what_a_full_request_of_code_uses() -> None:
    question = Question("commit", "t" * 200, "x" * 1_500, ())
    prompt = prompt_about([question] * MOST_OBSERVATIONS)
    assert prompt.estimated_tokens > len(prompt.data) / 3.5 + prompt.max_tokens
