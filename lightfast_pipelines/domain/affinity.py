"""Estimates how likely two units are one piece of work, and chooses the pairs to estimate.

Pure: the similarity of units is passed in as cosines. `clusters.py` decides which pairs become a group.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

WINDOW_SECONDS = 30 * 86_400

# Logistic regression on the older half of ipython's history: whether two commits belong to the same
# pull request, judged without seeing that pull request (bench/clusters.py prints how good the rule is).
_BIAS = 0.07
_SAME_AUTHOR = 0.69
_LOG_MINUTES = -0.54
_COSINE = 1.42
_FILES_ALIKE = 1.9
_RAREST_FILE = 4.1
# An assumption, not a measurement: somebody who opens two pull requests, or two issues, considers them
# separate.
_BOTH_DECLARED = -1.5

# How many earlier and later events of its author, and of each of its files, a unit is compared with.
_AUTHOR_NEIGHBOURS = 30
_FILE_NEIGHBOURS = 10
# A change to hundreds of files looks for candidates by its rarest files only.
_RAREST_FILES = 25
_PAIRS_AT_ONCE = 100_000


@dataclass(frozen=True, slots=True)
class Unit:
    """A thread, or a single observation.

    `key` is its smallest source_id. `times` (seconds, sorted) are those of its observations. `authors` and
    `files` have the same names in every unit. `is_declared`: it contains a pull request or an issue.
    """

    key: str
    times: tuple[float, ...]
    authors: frozenset[str] = frozenset()
    files: frozenset[str] = frozenset()
    is_declared: bool = False


class Meaning(Protocol):
    """The similarity of units, which are named by their positions in the list."""

    def nearest(self) -> Iterable[tuple[int, int]]:
        """Pairs similar enough to be candidates."""
        ...

    def cosines(self, pairs: Sequence[tuple[int, int]]) -> Sequence[float]:
        """The cosine of each pair; 0 if a unit has no vector."""
        ...


def likely_pairs(
    units: Sequence[Unit], meaning: Meaning, floor: float
) -> Iterator[tuple[int, int, float]]:
    """(a, b, probability) of each candidate pair at `floor` or above, each pair once."""
    affinity = _Affinity(units)
    chunk: list[tuple[int, int]] = []
    for unit, partners in enumerate(_partners(units, meaning)):
        chunk += [(unit, partner) for partner in sorted(partners)]
        if len(chunk) >= _PAIRS_AT_ONCE or unit == len(units) - 1:
            for (a, b), cosine in zip(chunk, meaning.cosines(chunk), strict=True):
                probability = affinity.of(a, b, cosine)
                if probability >= floor:
                    yield a, b, probability
            chunk = []


def _partners(units: Sequence[Unit], meaning: Meaning) -> Iterator[set[int]]:
    """Yields, for each unit, the candidates that precede it in the list."""
    near: dict[int, list[int]] = defaultdict(list)
    for a, b in meaning.nearest():
        near[max(a, b)].append(min(a, b))
    commonness = Counter(file for unit in units for file in unit.files)
    blocks: dict[tuple[str, str], list[tuple[float, str, int]]] = defaultdict(list)
    names: list[list[tuple[str, str]]] = []
    for position, unit in enumerate(units):
        rarest = sorted(unit.files, key=lambda file: (commonness[file], file))[:_RAREST_FILES]
        names.append([("author", name) for name in unit.authors])
        names[-1] += [("file", name) for name in rarest if commonness[name] > 1]
        for block in names[-1]:
            # The first and last time are enough to find neighbours; nearness then uses all times.
            for time in {unit.times[0], unit.times[-1]}:
                blocks[block].append((time, unit.key, position))
    for events in blocks.values():
        events.sort()
    for position, unit in enumerate(units):
        partners = set(near.get(position, ()))
        for block in names[position]:
            most = _AUTHOR_NEIGHBOURS if block[0] == "author" else _FILE_NEIGHBOURS
            for time in {unit.times[0], unit.times[-1]}:
                place = bisect_left(blocks[block], (time, unit.key, position))
                around = blocks[block][max(0, place - most) : place + most + 1]
                partners.update(p for at, _, p in around if abs(at - time) <= WINDOW_SECONDS)
        yield {partner for partner in partners if partner < position}


class _Affinity:
    """Computes the probability of pairs of units in one list."""

    def __init__(self, units: Sequence[Unit]) -> None:
        commonness = Counter(file for unit in units for file in unit.files)
        # 1 for a file of one unit, 0.63 of two, 0.3 of ten, however large the workspace is.
        self._rarity = {file: 1 / math.log2(1 + count) for file, count in commonness.items()}
        # fsum is exact, so the last digit does not depend on a set's order of iteration.
        self._weight = [math.fsum(map(self._rarity.__getitem__, unit.files)) for unit in units]
        self._units = units

    def of(self, a: int, b: int, cosine: float) -> float:
        first, second = self._units[a], self._units[b]
        score = _BIAS + _COSINE * cosine
        score += _LOG_MINUTES * math.log1p(seconds_apart(first.times, second.times) / 60)
        if not first.authors.isdisjoint(second.authors):
            score += _SAME_AUTHOR
        shared = [self._rarity[file] for file in first.files & second.files]
        if shared:
            common = math.fsum(shared)
            score += _FILES_ALIKE * common / (self._weight[a] + self._weight[b] - common)
            score += _RAREST_FILE * max(shared)
        if first.is_declared and second.is_declared:
            score += _BOTH_DECLARED
        return 1 / (1 + math.exp(-score))


def seconds_apart(first: Sequence[float], second: Sequence[float]) -> float:
    """Seconds between the nearest two of these times."""
    fewer, more = sorted((first, second), key=len)
    nearest = math.inf
    for time in fewer:
        place = bisect_left(more, time)
        for neighbour in more[max(0, place - 1) : place + 1]:
            nearest = min(nearest, abs(time - neighbour))
    return nearest
