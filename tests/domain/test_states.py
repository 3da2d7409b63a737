"""Intervals on two clocks, held against the plain definition."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightfast_pipelines.domain.events import ENDING_REASON
from lightfast_pipelines.domain.states import (
    StateFact,
    StateInterval,
    Tail,
    continuation,
    history,
)
from tests.believed import fold_current

DAY = datetime(2024, 5, 1, tzinfo=UTC)


def fact(
    value: str, at: int, rank: int = 0, known: int = 0, source_id: str = "", reason: str = ""
) -> StateFact:
    """A fact at hour `at`, known since hour `known`."""
    return StateFact(
        value,
        DAY + timedelta(hours=at),
        rank,
        source_id or f"{value}@{at}.{rank}",
        DAY + timedelta(hours=known),
        reason or None,
    )


def told(intervals: list[StateInterval]) -> list[tuple[str, int, int | None]]:
    def hour(at: datetime | None) -> int | None:
        return None if at is None else int((at - DAY).total_seconds() // 3600)

    return [(i.value, hour(i.valid_from) or 0, hour(i.valid_to)) for i in intervals]


def test_a_pull_request_that_is_opened_closed_and_reopened_has_three_intervals() -> None:
    facts = [fact("open", 9, 2), fact("open", 1, 1, reason="opened"), fact("closed", 5, 4)]
    intervals = fold_current(facts)
    assert told(intervals) == [("open", 1, 5), ("closed", 5, 9), ("open", 9, None)]
    assert [i.is_current for i in intervals] == [False, False, True]


def test_the_same_value_again_is_no_new_interval() -> None:
    assert told(fold_current([fact("open", 1), fact("open", 3), fact("closed", 5)])) == [
        ("open", 1, 5),
        ("closed", 5, None),
    ]


def test_a_change_superseded_at_the_same_moment_is_an_interval_without_length() -> None:
    intervals = fold_current([fact("merged", 2, 5), fact("closed", 2, 4), fact("open", 1, 1)])
    assert told(intervals) == [("open", 1, 2), ("closed", 2, 2), ("merged", 2, None)]
    assert [i.value for i in intervals if i.is_current] == ["merged"]


@pytest.mark.parametrize(
    ("before", "first", "last"),
    [("open", "closed", "open"), ("closed", "open", "closed")],
)
def test_changes_that_took_turns_within_a_second_are_ordered_by_what_held_before(
    before: str, first: str, last: str
) -> None:
    closed, reopened = (
        fact("closed", 2, 4, reason="completed"),
        fact("open", 2, 2, reason="reopened"),
    )
    for turns in permutations([fact(before, 1, 1), closed, reopened]):
        assert told(fold_current(turns)) == [(before, 1, 2), (first, 2, 2), (last, 2, None)]
    # A draft that is made ready and a draft again.
    ready = fact("open", 2, 3, reason="ready-for-review")
    draft = fact("draft", 2, 0, reason="converted-to-draft")
    assert fold_current([fact("draft", 1), ready, draft])[-1].value == "draft"
    assert fold_current([fact("open", 1), ready, draft])[-1].value == "open"


def test_a_close_before_its_opening_begins_with_the_opening() -> None:
    facts = [fact("closed", 1, 4), fact("open", 3, 1, reason="opened")]
    assert told(fold_current(facts)) == [("open", 3, 3), ("closed", 3, None)]


def test_a_close_whose_opening_is_unknown_keeps_its_time() -> None:
    facts = [fact("closed", 1, 4), fact("draft", 3, 0, reason="converted-to-draft")]
    assert told(fold_current(facts)) == [("closed", 1, 3), ("draft", 3, None)]


def test_a_late_fact_changes_what_is_believed_but_not_what_was_believed() -> None:
    facts = [fact("open", 1, known=1), fact("merged", 9, known=9), fact("closed", 5, known=20)]
    assert told(fold_current(facts, as_known=DAY + timedelta(hours=12))) == [
        ("open", 1, 9),
        ("merged", 9, None),
    ]
    assert told(fold_current(facts)) == [("open", 1, 5), ("closed", 5, 9), ("merged", 9, None)]
    superseded = [i for i in history(facts) if i.superseded_at is not None]
    assert told(superseded) == [("open", 1, None), ("open", 1, 9)]
    assert [i.superseded_at for i in superseded] == [
        DAY + timedelta(hours=9),
        DAY + timedelta(hours=20),
    ]


def ending(value: str, at: int, known: int = 0) -> StateFact:
    return fact(value, at, 4, known, f"{value} ends@{at}", ENDING_REASON)


def test_an_ending_ends_its_own_value_and_no_other() -> None:
    assert told(fold_current([fact("first", 1), ending("first", 5)])) == [
        ("first", 1, 5),
        ("none", 5, None),
    ]
    taken_over = [fact("first", 1), fact("second", 3), ending("first", 5)]
    assert told(fold_current(taken_over)) == [("first", 1, 3), ("second", 3, None)]
    assert told(fold_current([*taken_over, ending("second", 6)]))[-1] == ("none", 6, None)
    assert fold_current([ending("first", 5)]) == []


def test_an_ending_at_the_moment_of_the_next_value_leaves_no_gap() -> None:
    facts = [fact("first", 1), ending("first", 3), fact("second", 3)]
    assert told(fold_current(facts)) == [("first", 1, 3), ("second", 3, None)]


def test_a_late_fact_decides_anew_which_endings_take_effect() -> None:
    facts = [fact("first", 1), ending("first", 5), ending("second", 7), fact("third", 9)]
    late = [*facts, fact("second", 3, known=20)]
    assert told(fold_current(facts)) == [("first", 1, 5), ("none", 5, 9), ("third", 9, None)]
    assert told(fold_current(late)) == [
        *(("first", 1, 3), ("second", 3, 7), ("none", 7, 9), ("third", 9, None)),
    ]


def test_nothing_is_believed_before_anything_is_known() -> None:
    assert fold_current([fact("open", 1, known=5)], as_known=DAY) == []
    assert history([]) == []


_FACTS = st.lists(
    st.builds(
        fact,
        value=st.sampled_from(["open", "closed", "draft"]),
        at=st.integers(0, 6),
        rank=st.integers(0, 2),
        known=st.integers(0, 5),
        source_id=st.sampled_from("abcdefghi"),
        reason=st.sampled_from(["", "", "opened", "closed", ENDING_REASON]),
    ),
    max_size=12,
)


def _plain_fold(facts: set[StateFact]) -> dict[tuple[StateFact, datetime], datetime | None]:
    """The definition, word for word: clamp, order, drop repetitions and endings of what does not hold,
    end where the next begins.
    """
    openings = [f.at for f in facts if f.reason == "opened"]
    opening = min(openings, default=datetime.min.replace(tzinfo=UTC))
    ordered = sorted(
        (max(f.at, opening), f.rank, f.source_id, f.value, f.recorded_at, f.reason or "", f)
        for f in facts
    )
    begun: list[tuple[StateFact, datetime]] = []
    holds: str | None = None
    for at, *_, f in ordered:
        if f.is_ending and holds != f.value:
            continue
        value = "none" if f.is_ending else f.value
        if holds != value:
            begun.append((f, at))
            holds = value
    ends = [at for _, at in begun[1:]]
    return dict(zip(begun, [*ends, None], strict=True)) if begun else {}


@given(_FACTS)
def test_history_equals_its_definition_at_every_moment(facts: list[StateFact]) -> None:
    # One observation states a state once.
    distinct = {f.source_id: f for f in facts}
    kept = set(distinct.values())
    everything = history(kept)
    for known in range(7):
        moment = DAY + timedelta(hours=known)
        believed = {
            (i.fact, i.valid_from): i.valid_to
            for i in everything
            if i.recorded_at <= moment and (i.superseded_at is None or i.superseded_at > moment)
        }
        assert believed == _plain_fold({f for f in kept if f.recorded_at <= moment})
    assert sum(i.is_current for i in everything) == (1 if _plain_fold(kept) else 0)
    assert all(i.superseded_at is None or i.superseded_at > i.recorded_at for i in everything)


@given(_FACTS, st.randoms(use_true_random=False))
def test_history_does_not_depend_on_the_order_or_number_of_facts(
    facts: list[StateFact], random: Random
) -> None:
    distinct = list({f.source_id: f for f in facts}.values())
    shuffled = [*distinct, *distinct]
    random.shuffle(shuffled)
    assert history(shuffled) == history(distinct)


def _shown(intervals: list[StateInterval]) -> list[tuple[object, ...]]:
    return sorted(
        (i.value, i.valid_from, str(i.valid_to), i.recorded_at, str(i.superseded_at), i.is_current)
        for i in intervals
    )


def _continued(intervals: list[StateInterval], changes: list[StateFact]) -> list[StateInterval]:
    """What held ends with each change, and the change's own value holds."""
    for change in changes:
        (last,) = (i for i in intervals if i.is_current)
        intervals = [i for i in intervals if i is not last] + [
            replace(last, is_current=False, superseded_at=change.recorded_at),
            replace(last, is_current=False, valid_to=change.at, recorded_at=change.recorded_at),
            StateInterval(change.value, change.at, None, True, change.recorded_at, None, change),
        ]
    return intervals


@given(_FACTS, _FACTS, st.integers(0, 6))
def test_a_continued_history_equals_the_history_of_all_facts_together(
    earlier: list[StateFact], later: list[StateFact], apart: int
) -> None:
    known = {f.source_id: f for f in earlier}
    before = history(list(known.values()))
    current = [i for i in before if i.is_current]
    shift = timedelta(hours=apart)
    new = list(
        {
            f.source_id: replace(
                f, source_id=f"{f.source_id}2", at=f.at + shift, recorded_at=f.recorded_at + shift
            )
            for f in later
        }.values()
    )
    if not current:
        return
    tail = Tail(
        current[0].value,
        max(f.at for f in known.values()),
        max(f.recorded_at for f in known.values()),
    )
    changes = continuation(tail, new)
    if changes is not None:
        assert _shown(_continued(before, changes)) == _shown(history([*known.values(), *new]))


def test_a_fact_that_is_late_or_affects_the_past_cannot_continue_a_history() -> None:
    tail = Tail("open", DAY + timedelta(hours=3), DAY + timedelta(hours=5))
    late, told_late = fact("closed", 2, known=6), fact("closed", 4, known=5)
    of_before = [fact("open", 4, known=6, reason="opened"), ending("open", 4, known=6)]
    for one in (late, told_late, *of_before):
        assert continuation(tail, [one]) is None
    plain = [fact("open", 4, known=6), fact("closed", 5, known=7), fact("closed", 6, known=8)]
    assert continuation(tail, plain[::-1]) == [plain[1]]
