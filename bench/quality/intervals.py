"""Bootstrap intervals of a figure, and of the difference between two figures on the same data."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

RESAMPLES = 1_000
_SEED = 20_260_101

Statistic = Callable[["NDArray[np.int64]"], float]
"""The figure, given how often each unit (a person, a thread, a commit) was drawn."""


class Interval(NamedTuple):
    """A figure on all data, and the bounds between which 95 % of its resampled values lie."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def interval(units: int, statistic: Statistic, *, resamples: int = RESAMPLES) -> Interval:
    """Draws `units` units with replacement, `resamples` times; the same draws in every run.

    Units are what is independent: persons and not pairs, threads and not their commits.
    """
    random = np.random.default_rng(_SEED)
    even = np.full(max(units, 1), 1 / max(units, 1))
    values = [statistic(random.multinomial(units, even)) for _ in range(resamples)]
    low, high = np.quantile(values, (0.025, 0.975)) if units else (0.0, 0.0)
    return Interval(statistic(np.ones(max(units, 1), np.int64)), float(low), float(high))


def share_of(is_right: NDArray[np.bool_]) -> Statistic:
    """The share of the units that are right."""
    return ratio(is_right, np.ones(len(is_right), np.int64))


def ratio(
    parts: NDArray[np.bool_] | NDArray[np.int64],
    wholes: NDArray[np.bool_] | NDArray[np.int64],
    *,
    of_nothing: float = 0.0,
) -> Statistic:
    """The sum of the units' `parts` over the sum of their `wholes`."""

    def of_draw(drawn: NDArray[np.int64]) -> float:
        whole = (drawn * wholes).sum()
        return float((drawn * parts).sum() / whole) if whole else of_nothing

    return of_draw


def difference(
    units: int, ours: Statistic, theirs: Statistic, *, resamples: int = RESAMPLES
) -> Interval:
    """How much `ours` is above `theirs`, both on the same draws (paired bootstrap)."""
    return interval(units, lambda drawn: ours(drawn) - theirs(drawn), resamples=resamples)
