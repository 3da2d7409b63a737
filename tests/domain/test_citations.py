"""A sentence is supported only if the cited texts contain what it claims."""

from __future__ import annotations

import pytest

from lightfast_pipelines.domain.citations import is_supported

TEXTS = [
    "Retry the payment once\n\nThe gateway of Acme times out after 30 seconds (#481).",
    "Bump stripe-sdk to 4.2.1 in services/pay.py, reviewed by Priya Nair",
]


@pytest.mark.parametrize(
    "sentence",
    [
        "Payments are retried once when the Acme gateway times out.",
        "The stripe-sdk was bumped to 4.2.1 and Priya Nair reviewed it.",
        "The change in services/pay.py retries payments (#481).",
    ],
)
def test_a_rephrased_sentence_is_supported(sentence: str) -> None:
    assert is_supported(sentence, TEXTS) == (True, "")


def test_markup_between_words_does_not_matter() -> None:
    assert is_supported("Fix Route/Mount paths.", ["Fix `Route`/`Mount` paths"])[0]


@pytest.mark.parametrize(
    ("sentence", "missing"),
    [
        ("The gateway times out after 60 seconds.", "60"),
        ("The gateway times out after 3 seconds.", "3"),
        ("The payment is retried, which fixes #482.", "482"),
        ("The stripe-sdk was bumped to 4.3.", "4.3"),
        ("Priya Nayar reviewed the stripe-sdk bump.", "Nayar"),
        ("The payment in services/cart.py is retried.", "services/cart.py"),
    ],
)
def test_a_wrong_number_name_or_path_is_not_supported(sentence: str, missing: str) -> None:
    assert is_supported(sentence, TEXTS) == (False, f"the cited texts do not contain '{missing}'")


def test_a_sentence_about_something_else_is_not_supported() -> None:
    supported, reason = is_supported("The login page was redesigned for mobile browsers.", TEXTS)
    assert not supported
    assert "login" in reason


def test_nothing_supports_a_sentence_without_sources() -> None:
    assert not is_supported("The payment is retried.", [])[0]
