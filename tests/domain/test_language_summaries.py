"""Which members a model is shown, and which of its sentences are kept."""

from __future__ import annotations

from itertools import permutations

import pytest

from lightfast_pipelines.domain.language_summaries import (
    as_json,
    content_hash,
    read_sentences,
    shown_members,
)
from lightfast_pipelines.domain.summaries import Member


def _member(number: int, title: str, content: str = "", *, is_bot: bool = False) -> Member:
    return Member(
        f"id{number}",
        f"github:commit:{number}",
        "commit.pushed",
        float(number),
        title,
        content,
        "Ann",
        is_bot,
        f"{title} {content}",
    )


_MEMBERS = [_member(n, f"Retry the payment, step {n}", "It fails at night.") for n in range(5)]


def _kept(text: object, observations: object) -> list[str]:
    sentences = read_sentences(
        {"sentences": [{"text": text, "observations": observations}]}, _MEMBERS
    )
    assert sentences is not None
    return [sentence.text for sentence in sentences]


@pytest.mark.parametrize(
    "observations", [[], ["id9"], ["id1", "id9"], ["id1", "id1"], [1], None, ["id0"] * 7]
)
def test_a_sentence_needs_citations_that_exist(observations: object) -> None:
    assert _kept("The payment is retried.", ["id1", "id2"]) == ["The payment is retried."]
    assert _kept("The payment is retried.", observations) == []


@pytest.mark.parametrize(
    "text", ["", "  ", 7, None, "The payment is retried 7 times.", "Kafka fails at night."]
)
def test_a_sentence_needs_texts_that_bear_it_out(text: object) -> None:
    assert _kept(text, ["id1"]) == []


@pytest.mark.parametrize("value", [None, [], {}, {"sentences": "no"}, {"sentences": None}])
def test_another_form_is_no_answer(value: object) -> None:
    assert read_sentences(value, _MEMBERS) is None


def test_what_is_stored_is_read_back_and_cites_the_texts_as_they_are() -> None:
    sentences = read_sentences(
        {"sentences": [{"text": "The payment is retried.", "observations": ["id2", "id1"]}]},
        _MEMBERS,
    )
    assert sentences is not None
    assert sentences[0].observations == ("id1", "id2")
    assert sentences[0].text_hash is not None
    assert read_sentences(as_json(sentences), _MEMBERS) == sentences


def test_at_most_24_members_are_shown_each_text_once_and_people_first() -> None:
    many = [_member(n, f"Change {n}", "x" * n) for n in range(40)]
    robots = [_member(100 + n, f"Bump {n}", "y" * 400, is_bot=True) for n in range(9)]
    repeated = [_member(200 + n, "Change 39", "x" * 39) for n in range(9)]
    shown = shown_members([*many, *robots, *repeated])
    assert len(shown) == 24
    assert not any(member.is_bot for member in shown)
    assert len({member.title for member in shown}) == 24
    assert list(shown) == sorted(shown, key=lambda member: member.at)


def test_the_question_is_the_same_for_any_order_of_members() -> None:
    hashes = {content_hash(shown_members(order)) for order in permutations(_MEMBERS)}
    assert len(hashes) == 1
    edited = [*_MEMBERS[:4], _member(4, "Retry the payment, step 4", "It fails by day.")]
    assert content_hash(shown_members(edited)) not in hashes
