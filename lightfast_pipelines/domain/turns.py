"""Chooses the deliveries to capture next: tenants take turns, so that none waits for all of another's.

A lane is a tenant's part of the queue.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

TurnKind = Literal["small", "large", "again"]
"""A turn of small deliveries, of one large delivery, or of deliveries that were attempted before."""
Served = Mapping[tuple[int, TurnKind], int]
"""(lane, kind) -> the number of the lane's latest turn; later turns have greater numbers."""


@dataclass(frozen=True, slots=True)
class Queued:
    """A waiting delivery, with its lane and the size of its body in bytes."""

    id: int
    lane: int
    size: int


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """Limits of one batch: its deliveries, its bytes, and the bytes above which a delivery is large."""

    rows: int
    size: int
    large: int


def next_batch(waiting: Sequence[Queued], served: Served, limits: BatchLimits) -> list[Queued]:
    """The deliveries of the next batch; `waiting` has the deliveries of each lane in order.

    Every lane gets one delivery, then every lane a second one, and so on, beginning with the lane that
    has waited longest for its turn. A large delivery may become tens of thousands of observations: it
    is a batch of its own, followed by a batch of small deliveries if any are waiting.
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
    """The lane that has waited longest for a turn of this kind."""
    return min(lanes, key=lambda lane: (served.get((lane, kind), 0), lane))


def _small_are_next(served: Served) -> bool:
    """Whether the latest turn was of a large delivery, or there was none yet."""
    latest = max(
        ((turn, kind) for (_, kind), turn in served.items() if kind != "again"),
        default=(0, "large"),
    )
    return latest[1] == "large"
