"""Accounts of two providers with one login are doubtful, and never joined."""

from __future__ import annotations

import pytest

from lightfast_pipelines.domain.people.decide import decide
from lightfast_pipelines.domain.people.identities import Identity
from tests.domain.test_people import github

HANNE = Identity("linear", "u5", "hanne-berg", "hanne@acme.dev", "Hanne Berg", "person", True)


def _doubts(*accounts: Identity) -> list[list[str]]:
    decided = decide("default", accounts)
    assert len(decided.actors) == len(accounts)
    return [[each.rule for each in pair.evidence] for pair in decided.doubtful]


def test_one_login_at_two_providers_is_to_be_reviewed() -> None:
    assert _doubts(HANNE, github("5", "Hanne-Berg")) == [["account_login"]]


def test_a_login_that_is_the_name_of_another_account_is_to_be_reviewed() -> None:
    sentry = Identity("sentry", "9", name="Hanne Berg", kind="person")
    assert _doubts(sentry, github("5", "hanneberg")) == [["account_login"]]


@pytest.mark.parametrize(
    "other",
    [
        # Two accounts of one provider, another name, a bot, and words that many people use.
        Identity("linear", "u6", "hanne-berg", name="Hanne Berg", kind="person"),
        github("5", "hanne-berg", name="Ingrid Dahl"),
        github("5", "hanne-berg", kind="bot"),
        github("5", "admin"),
        github("5", "hanne"),
    ],
)
def test_nothing_less_is_to_be_reviewed_for_its_login(other: Identity) -> None:
    assert "account_login" not in [rule for rules in _doubts(HANNE, other) for rule in rules]
