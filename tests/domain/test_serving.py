"""What serves an environment: facts of several kinds weighed together, in any order, on both clocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from lightfast_pipelines.domain import serving
from lightfast_pipelines.domain.events import ENDING_REASON
from lightfast_pipelines.domain.states import StateFact, StateInterval
from tests.believed import fold_current

START = datetime(2024, 5, 1, tzinfo=UTC)
LAST = START + timedelta(days=999)


def fact(value: str, basis: str | None, hour: int, known: int = 999, **more: str) -> StateFact:
    at, recorded_at = (START + timedelta(hours=number) for number in (hour, known))
    metadata = {**({serving.BASIS: basis} if basis else {}), **more}
    return StateFact(value, at, 2, f"{value}|{basis}|{hour}", recorded_at, basis, metadata)


def removed(value: str, hour: int, known: int = 999) -> StateFact:
    gone = fact(value, None, hour, known)
    return replace(gone, rank=4, source_id=f"{value}|removed|{hour}", reason=ENDING_REASON)


def hours(moment: datetime | None) -> int | None:
    return None if moment is None else round((moment - START) / timedelta(hours=1))


def timeline(facts: Sequence[StateFact]) -> list[tuple[str, int | None, int | None]]:
    """(what, from, to) as believed now; the same in any order."""
    found = {
        tuple(
            (one.value, hours(one.valid_from), hours(one.valid_to))
            for one in sorted(serving.history(order), key=lambda one: one.valid_from)
            if one.superseded_at is None
        )
        for order in list(permutations(facts))[:120]
    }
    assert len(found) == 1
    return list(found.pop())


def test_where_promotions_are_stated_a_success_alone_serves_nobody() -> None:
    assert timeline(
        [
            fact("a", "success", 1),
            fact("a", "promoted", 2),
            fact("b", "success", 10),
            fact("c", "success", 20),
            fact("c", "promoted", 25),
        ]
    ) == [("a", 2, 25), ("c", 25, None)]


def test_a_deployment_staged_before_the_first_promotion_never_served() -> None:
    staged = [fact("a", "success", 1), fact("b", "success", 10), fact("b", "promoted", 12)]
    assert timeline(staged) == [("b", 12, None)]


def test_without_any_promotion_a_success_goes_live() -> None:
    assert timeline([fact("a", "success", 1), fact("b", "success", 10)]) == [
        ("a", 1, 10),
        ("b", 10, None),
    ]


def test_after_a_rollback_a_success_is_staged_until_one_is_promoted() -> None:
    story = [
        fact("a", "success", 1),
        fact("b", "success", 10),
        fact("a", "rollback", 12),
        fact("c", "success", 20),
    ]
    assert timeline(story) == [("a", 1, 10), ("b", 10, 12), ("a", 12, None)]
    promoted = [fact("a", "promoted", 1), fact("b", "promoted", 10), *story[2:]]
    ended = [*promoted, fact("c", "promoted", 30)]
    assert timeline(ended) == [("a", 1, 10), ("b", 10, 12), ("a", 12, 30), ("c", 30, None)]


def test_an_older_deployment_that_is_promoted_again_serves_again() -> None:
    story = [fact("a", "promoted", 1), fact("b", "promoted", 10), fact("a", "promoted", 20)]
    assert timeline(story) == [("a", 1, 10), ("b", 10, 20), ("a", 20, None)]


def test_a_rolling_release_goes_live_when_it_is_completed_and_not_when_it_is_aborted() -> None:
    before = [fact("a", "success", 1), fact("b", "success", 10), fact("b", "rolling", 11)]
    completed = [*before, fact("b", "rolled_out", 15)]
    assert timeline(completed) == [("a", 1, 15), ("b", 15, None)]
    aborted = [*before, fact("a", "kept", 15, withholds="b"), fact("c", "success", 20)]
    assert timeline(aborted) == [("a", 1, None)]
    # The start may have been lost.
    assert timeline([aborted[0], aborted[1], aborted[3]]) == [("a", 1, None)]


def test_the_promotion_that_begins_a_rolling_release_is_not_its_end() -> None:
    begun = [fact("a", "promoted", 1), fact("b", "promoted", 10), fact("b", "rolling", 10)]
    assert timeline(begun) == [("a", 1, None)]
    assert timeline([*begun, fact("b", "rolled_out", 15)]) == [("a", 1, 15), ("b", 15, None)]
    aborted = [*begun, fact("a", "kept", 15, withholds="b")]
    assert timeline(aborted) == [("a", 1, None)]
    assert timeline([*aborted, fact("b", "promoted", 20)]) == [("a", 1, 20), ("b", 20, None)]


def test_a_deployment_that_fails_or_is_canceled_after_it_was_built_never_served() -> None:
    story = [fact("a", "success", 1), fact("b", "success", 10), fact("b", "withheld", 11)]
    assert timeline(story) == [("a", 1, None)]
    again = [*story, fact("b", "success", 15)]
    assert timeline(again) == [("a", 1, 15), ("b", 15, None)]
    assert timeline([fact("b", "promoted", 10), fact("b", "withheld", 11)]) == [("b", 10, None)]


def test_a_deployment_that_is_deleted_while_live_serves_nobody() -> None:
    story = [fact("a", "promoted", 1), removed("a", 5), fact("b", "promoted", 9)]
    assert timeline(story) == [("a", 1, 5), ("none", 5, 9), ("b", 9, None)]
    assert timeline([*story, fact("a", "promoted", 12)])[-1] == ("a", 12, None)
    # An old one that a rule of retention removes changes nothing.
    old = [fact("a", "promoted", 1), fact("b", "promoted", 9), removed("a", 20)]
    assert timeline(old) == [("a", 1, 9), ("b", 9, None)]


def test_what_the_api_says_has_served_fills_the_gaps_between_webhooks() -> None:
    story = [fact("a", "served", 1), fact("b", "staged", 5), fact("c", "promoted", 10)]
    assert timeline(story) == [("a", 1, 10), ("c", 10, None)]
    # A promotion of its own is the better date.
    assert timeline([*story, fact("a", "promoted", 3)]) == [("a", 3, 10), ("c", 10, None)]
    # What the API merely lists counts until the project begins to tell.
    listed = [fact("a", "listed", 1), fact("c", "promoted", 10), fact("d", "listed", 20)]
    assert timeline(listed) == [("a", 1, 10), ("c", 10, None)]


def test_a_presumption_is_recorded_as_believed_until_it_was_disproved() -> None:
    facts = [fact("a", "success", 1, known=1), fact("b", "promoted", 2, known=9)]
    assert [
        (one.value, hours(one.recorded_at), hours(one.superseded_at))
        for one in serving.history(facts)
    ] == [("a", 1, 9), ("b", 9, None)]


def test_facts_without_a_basis_are_believed() -> None:
    facts = [fact("a", None, 1), fact("b", None, 5), fact("a", None, 9)]
    assert serving.history(facts) == sorted(
        fold_current(facts), key=lambda one: (one.recorded_at, one.valid_from)
    )


_BASES = st.sampled_from(
    [
        *("promoted", "rollback", "rolled_out", "kept", "rolling", "withheld"),
        *("staged", "built", "served", "success", "listed", None),
    ]
)
_VALUES, _HOURS = st.sampled_from(["a", "b", "c"]), st.integers(0, 8)
_FACTS = st.lists(
    st.one_of(
        st.builds(fact, _VALUES, _BASES, _HOURS, _HOURS),
        st.builds(removed, _VALUES, _HOURS, _HOURS),
    ),
    max_size=10,
    unique_by=lambda one: one.source_id,
)


def _believed_at(intervals: Sequence[StateInterval], known: datetime) -> list[tuple[object, ...]]:
    return sorted(
        (one.valid_from, one.value, one.valid_to)
        for one in intervals
        if one.recorded_at <= known and (one.superseded_at is None or one.superseded_at > known)
        if one.valid_from != one.valid_to
    )


@given(_FACTS, st.randoms(), st.integers(0, 8))
def test_any_order_gives_the_same_and_belief_follows_from_what_was_known(
    facts: list[StateFact], random: object, known: int
) -> None:
    shuffled = list(facts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    whole = serving.history(facts)
    assert whole == serving.history(shuffled)
    moment = START + timedelta(hours=known)
    then = serving.history([one for one in facts if one.recorded_at <= moment])
    assert _believed_at(whole, moment) == _believed_at(then, LAST)
