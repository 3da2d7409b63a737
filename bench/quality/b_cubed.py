"""B-cubed: how well clusters agree with a gold division, averaged over items."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class BCubed:
    """The agreement of two divisions of the same items, which may be weighted by their gold threads.

    An item's precision is the share of its cluster, and its recall the share of its thread, that the
    two have in common.
    """

    def __init__(self, clusters: Sequence[Hashable], gold: Sequence[Hashable]) -> None:
        self._thread, threads = _numbered(gold)
        ours, _ = _numbered(clusters)
        common = _sizes(_numbered(list(zip(clusters, gold, strict=True)))[0])
        self.units = threads
        self._precision = common / _sizes(ours)
        self._recall = common / _sizes(self._thread)

    def precision(self, drawn: NDArray[np.int64]) -> float:
        """With each thread counted as often as it was drawn."""
        return self._mean(self._precision, drawn)

    def recall(self, drawn: NDArray[np.int64]) -> float:
        return self._mean(self._recall, drawn)

    def f1(self, drawn: NDArray[np.int64]) -> float:
        precision, recall = self.precision(drawn), self.recall(drawn)
        return 2 * precision * recall / (precision + recall) if precision + recall else 0.0

    def all_once(self) -> NDArray[np.int64]:
        return np.ones(self.units, np.int64)

    def _mean(self, values: NDArray[np.float64], drawn: NDArray[np.int64]) -> float:
        weight = drawn[self._thread]
        return float(values @ weight) / max(1, int(weight.sum()))


def _numbered(names: Sequence[Hashable]) -> tuple[NDArray[np.int64], int]:
    numbers: dict[Hashable, int] = {}
    codes = [numbers.setdefault(name, len(numbers)) for name in names]
    return np.array(codes, np.int64), len(numbers)


def _sizes(codes: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.bincount(codes, minlength=1)[codes].astype(np.float64)
