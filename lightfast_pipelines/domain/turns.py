"""Whose delivery is captured next: tenants take turns, so that none waits behind all of another's.

A lane is a tenant's part of the queue. Pure: what waits and who had a turn when are parameters.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

TurnKind = Literal["small", "large", "again"]
"""Of a turn: small deliveries, one large delivery, or some that were attempted before."""
Served = Mapping[tuple[int, TurnKind], int]
"""(lane, kind) -> the number of its latest turn; later turns have greater numbers."""


@dataclass(frozen=True, slots=True)
class Queued:
    """A delivery that waits: its lane and the bytes of its body."""

    id: int
    lane: int
    size: int


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """Of one batch: deliveries, bytes, and from how many bytes on a delivery is large."""

    rows: int
    size: int
    large: int


def next_batch(waiting: Sequence[Queued], served: Served, limits: BatchLimits) -> list[Queued]:
    """The deliveries of the next batch; `waiting` has those of one lane in their order.

    Each lane has one delivery, then each its second, and so on, beginning with the lane whose latest
    turn is longest ago. A large delivery may be tens of thousands of observations: it is a batch of
    its own, and after each of those comes a batch of small ones, if any wait.
    """
    large: dict[int, Queued] = {}
    small: dict[int, list[Queued]] = defaultdict(list)
    for delivery in waiting:
        if delivery.size > limits.large:
            large.setdefault(delivery.lane, delivery)
        else:
            small[delivery.lane].append(delivery)
    if large and not (small and _small_are_next(served)):
        return [large[next_lane(large, served, "large")]]
    lanes = sorted(small, key=lambda lane: (served.get((lane, "small"), 0), lane))
    batch: list[Queued] = []
    size = 0
    for turn in range(max(map(len, small.values()), default=0)):
        for lane in lanes:
            if turn >= len(small[lane]):
                continue
            delivery = small[lane][turn]
            size += delivery.size
            if len(batch) == limits.rows or (batch and size > limits.size):
                return batch
            batch.append(delivery)
    return batch


def next_lane(lanes: Iterable[int], served: Served, kind: TurnKind) -> int:
    """Of these lanes the one whose latest turn of this kind is longest ago."""
    return min(lanes, key=lambda lane: (served.get((lane, kind), 0), lane))


def _small_are_next(served: Served) -> bool:
    """Whether of small batches and large deliveries the latest was a large one, or neither was yet."""
    latest = max(
        ((turn, kind) for (_, kind), turn in served.items() if kind != "again"),
        default=(0, "large"),
    )
    return latest[1] == "large"
