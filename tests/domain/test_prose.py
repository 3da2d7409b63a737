"""Sentences from titles and texts."""

from __future__ import annotations

import pytest

from lightfast_pipelines.domain.prose import LONGEST_SENTENCE, first_sentence, sentence_of_title


@pytest.mark.parametrize(
    ("title", "sentence"),
    [
        ("[PR Merged] Retry the payment once (#12)", "Retry the payment once."),
        ("[Comment] #12: is this still needed?", "Is this still needed?"),
        ("Use `raise from` in **all** modules", "Use raise from in all modules."),
        ("fix typo", "Fix typo."),
        ("numpy.array is slow", "numpy.array is slow."),
        ("See [the docs](https://x.io/a)!", "See the docs!"),
        ("[PR Opened] ", None),
        ("https://example.org/only/an/address", None),
    ],
)
def test_titles_lose_tags_numbers_and_markup(title: str, sentence: str | None) -> None:
    assert sentence_of_title(title) == sentence


TITLE = "Retry the payment"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("Retry the payment\nThe gateway fails once in a while. So we try again.",
         "The gateway fails once in a while."),
        ("## What\n\n- [x] I have read the rules\n- The gateway fails once in a while",
         "The gateway fails once in a while."),
        ("```\nTraceback most recent call last\n```\nIt fails on the first try.",
         "It fails on the first try."),
        ("> Somebody else said this first\n\nBut it fails on the first try.",
         "But it fails on the first try."),
        ("<!-- Thank you for your help -->\nIt fails, e.g. Mondays are bad. Always.",
         "It fails, e.g. Mondays are bad."),
        ("Fixes #12\nSigned-off-by: Ann Lee <ann@x.io>\nCo-authored-by: Ben <b@x.io>", None),
        ("| a | b |\n|---|---|\n\n---\nToo short here", None),
        ("", None),
    ],
)  # fmt: skip
def test_the_first_sentence_is_prose_that_says_more_than_the_title(
    content: str, sentence: str | None
) -> None:
    assert first_sentence(TITLE, content) == sentence


def test_a_long_sentence_is_cut_between_words() -> None:
    sentence = sentence_of_title("word " * 100)
    assert sentence is not None
    assert len(sentence) <= LONGEST_SENTENCE
    assert sentence.endswith("word…")
