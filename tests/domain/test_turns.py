"""Whose turn it is, as a decision over what waits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lightfast_pipelines.domain.turns import BatchLimits, Queued, TurnKind, next_batch

LIMITS = BatchLimits(rows=10, size=1_000, large=100)


def _lane(lane: int, number: int, size: int = 1) -> list[Queued]:
    return [Queued(lane * 10_000 + n, lane, size) for n in range(number)]


def _turns(waiting: list[Queued], limits: BatchLimits = LIMITS) -> list[list[Queued]]:
    """All batches until nothing waits."""
    served: dict[tuple[int, TurnKind], int] = {}
    batches = []
    while waiting:
        batch = next_batch(waiting, served, limits)
        assert batch, "nobody has a turn though something waits"
        batches.append(batch)
        for delivery in batch:
            served[delivery.lane, "large" if delivery.size > limits.large else "small"] = len(
                batches
            )
            waiting.remove(delivery)
    return batches


def test_a_single_delivery_is_in_the_first_batch_however_many_another_tenant_has_waiting() -> None:
    batch = next_batch([*_lane(1, 500), *_lane(2, 1)], {}, LIMITS)
    assert len(batch) == 10
    assert [one.lane for one in batch].count(2) == 1


def test_more_tenants_than_a_batch_has_rows_all_have_a_turn_before_any_has_two() -> None:
    waiting = [one for lane in range(1, 51) for one in _lane(lane, 4)]
    first = [one.lane for batch in _turns(waiting)[:5] for one in batch]
    assert sorted(first) == list(range(1, 51))


def test_between_two_large_deliveries_small_ones_have_a_batch() -> None:
    waiting = [*_lane(1, 3, 900), *_lane(2, 15)]
    assert [(batch[0].lane, len(batch)) for batch in _turns(waiting)] == [
        (2, 10),
        (1, 1),
        (2, 5),
        (1, 1),
        (1, 1),
    ]


def test_large_deliveries_of_several_tenants_take_turns() -> None:
    waiting = [*_lane(1, 3, 900), *_lane(2, 1, 900)]
    assert [batch[0].lane for batch in _turns(waiting)] == [1, 2, 1, 1]


def test_where_the_limit_of_bytes_ends_a_batch_the_others_begin_the_next() -> None:
    waiting = [one for lane in (1, 2, 3) for one in _lane(lane, 3, 90)]
    batches = _turns(waiting, BatchLimits(rows=10, size=200, large=100))
    assert [[one.lane for one in batch] for batch in batches[:2]] == [[1, 2], [3, 1]]


@given(
    st.lists(st.tuples(st.integers(1, 6), st.integers(1, 150)), max_size=60),
    st.integers(1, 12),
    st.integers(1, 400),
)
def test_everything_has_its_turn_once_within_the_bounds(
    deliveries: list[tuple[int, int]], rows: int, size: int
) -> None:
    waiting = [Queued(n, lane, each) for n, (lane, each) in enumerate(deliveries)]
    batches = _turns([*waiting], BatchLimits(rows, size, 100))
    assert sorted(one.id for batch in batches for one in batch) == [one.id for one in waiting]
    for batch in batches:
        assert len(batch) <= rows
        assert len(batch) == 1 or sum(one.size for one in batch) <= size
        assert len(batch) == 1 or max(one.size for one in batch) <= 100
