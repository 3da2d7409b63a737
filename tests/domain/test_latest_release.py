"""Which release is the latest, when some are withdrawn and published again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations

from lightfast_pipelines.domain.events import ENDING_REASON
from lightfast_pipelines.domain.latest_release import history
from lightfast_pipelines.domain.states import StateFact

DAY = datetime(2024, 5, 1, tzinfo=UTC)


def published(value: str, at: int, known: int | None = None) -> StateFact:
    return _fact(value, at, 1, "published", known)


def withdrawn(value: str, at: int, known: int | None = None) -> StateFact:
    return _fact(value, at, 5, ENDING_REASON, known)


def _fact(value: str, at: int, rank: int, reason: str, known: int | None) -> StateFact:
    told = DAY + timedelta(hours=at if known is None else known)
    return StateFact(value, DAY + timedelta(hours=at), rank, f"{value}|{reason}@{at}", told, reason)


def latest(*facts: StateFact) -> list[tuple[str, int]]:
    """What is believed now, the same in every order."""
    told = []
    for order in permutations(facts):
        now = [one for one in history(order) if one.superseded_at is None]
        now.sort(key=lambda one: (one.valid_from, one.fact.rank))
        told.append([(one.value, (one.valid_from - DAY).seconds // 3600) for one in now])
    assert all(one == told[0] for one in told)
    return told[0]


def test_when_the_latest_is_withdrawn_the_one_before_it_is_the_latest_again() -> None:
    v1, v2 = published("v1", 1), published("v2", 2)
    assert latest(v1, v2, withdrawn("v2", 5)) == [("v1", 1), ("v2", 2), ("v1", 5)]
    # Unpublished first, then deleted.
    twice = (withdrawn("v2", 5), withdrawn("v2", 6))
    assert latest(v1, v2, *twice) == [("v1", 1), ("v2", 2), ("v1", 5)]
    both = (withdrawn("v1", 3), withdrawn("v2", 5))
    assert latest(v1, v2, *both) == [("v1", 1), ("v2", 2), ("none", 5)]


def test_withdrawing_an_older_release_changes_nothing_and_publishing_it_again_counts() -> None:
    v1, v2 = published("v1", 1), published("v2", 2)
    assert latest(v1, v2, withdrawn("v1", 5)) == [("v1", 1), ("v2", 2)]
    again = (withdrawn("v2", 5), published("v2", 7))
    assert latest(v1, v2, *again) == [("v1", 1), ("v2", 2), ("v1", 5), ("v2", 7)]


def test_a_late_fact_changes_only_what_is_believed_from_then_on() -> None:
    facts = [published("v1", 1, known=9), published("v2", 2), withdrawn("v2", 5)]
    at_five = [one for one in history(facts) if one.valid_from == DAY + timedelta(hours=5)]
    assert [(one.value, one.superseded_at is None) for one in at_five] == [
        ("none", False),
        ("v1", True),
    ]
