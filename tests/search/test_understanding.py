"""What a question names is found in it, in every form that people write."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightfast_pipelines.search.understanding import understand

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("what is #43 about", {"names": ("#43",)}),
        ("acme/shop#43 and #12", {"names": ("acme/shop#43", "#12")}),
        ("see https://github.com/acme/shop/pull/43.", {"names": ("https://github.com/acme/shop/pull/43",)}),
        ("github:pr:12#3 again", {"names": ("github:pr:12#3",)}),
        ("is CHK-12 done", {"names": ("CHK-12",)}),
        ("SHOP-1A keeps coming", {"names": ("SHOP-1A",)}),
        ("what broke 4a5be60c1", {"names": ("4a5be60c1",)}),
        ("who owns checkout/retry.py", {"names": ("checkout/retry.py",), "keys": ("file:checkout/retry.py",)}),
        ("PaymentError in production", {"keys": ("error:PaymentError",)}),
        ("ERR_TIMEOUT on POST /charges", {"keys": ("endpoint:POST /charges", "config:ERR_TIMEOUT")}),
        ("what did @mira-o write", {"logins": ("mira-o",)}),
        ('who said "charged only once"', {"phrases": ("charged only once",)}),
        ("failed Vercel deployments", {"providers": ("vercel",), "things": ("deployment",)}),
        ("merged pull requests", {"things": ("pull-request",), "states": ("merged",)}),
    ],
)  # fmt: skip
def test_names_are_found(question: str, said: dict[str, Any]) -> None:
    understood = understand(question, NOW, UTC)

    assert {name: getattr(understood, name) for name in said} == said


@pytest.mark.parametrize(
    "question", ["the cart is empty", "decade of facade", "1234567 rows", "ada@example.com wrote"]
)
def test_ordinary_words_name_nothing(question: str) -> None:
    understood = understand(question, NOW, UTC)

    assert (understood.names, understood.keys, understood.logins) == ((), (), ())


def test_times_are_taken_out_of_the_words() -> None:
    understood = understand("what broke last week in checkout", NOW, UTC)

    assert understood.words == "what broke in checkout"
    assert understood.times == ("last week",)


def test_the_narrower_of_two_times_counts() -> None:
    understood = understand("since 2026-05-01 and since 2026-06-01 before 2026-07-01", NOW, UTC)

    assert understood.since == datetime(2026, 6, 1, tzinfo=UTC)
    assert understood.before == datetime(2026, 7, 1, tzinfo=UTC)


def test_a_pasted_page_is_not_a_question_about_times() -> None:
    page = "Traceback: it failed yesterday in release 1.4. " * 10

    assert understand(page, NOW, UTC).since is None


@given(st.text(max_size=400))
def test_any_question_is_understood(question: str) -> None:
    understood = understand(question, NOW, UTC)

    assert len(understood.names) <= 8
    assert understood == understand(question, NOW, UTC)
