"""How likely two units are one piece of work, and which pairs of units are worth asking about.

Pure: what units mean comes in as cosines. Which pairs then become one group is `clusters.py`'s.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

WINDOW_SECONDS = 30 * 86_400

# Logistic regression on the older half of ipython's history: whether two commits are of one pull
# request, from what is known without it (bench/clusters.py prints what the rule makes of it).
_BIAS = 0.07
_SAME_AUTHOR = 0.69
_LOG_MINUTES = -0.54
_COSINE = 1.42
_FILES_ALIKE = 1.9
_RAREST_FILE = 4.1
# Not measured: who opens two pull requests, or two issues, has told them apart.
_TOLD_APART = -1.5

# A unit is compared with this many events of its author, and of each of its files, either side.
_AUTHOR_NEIGHBOURS = 30
_FILE_NEIGHBOURS = 10
# Of a change over hundreds of files only the rarest lead to others.
_TELLING_FILES = 25
_PAIRS_AT_ONCE = 100_000


@dataclass(frozen=True, slots=True)
class Unit:
    """A thread, or a single observation.

    `key` is its smallest source_id. `times` (seconds, sorted) are of its observations. `authors` and
    `files` are names that mean the same in every unit. `is_declared`: it holds a pull request or an
    issue of its own.
    """

    key: str
    times: tuple[float, ...]
    authors: frozenset[str] = frozenset()
    files: frozenset[str] = frozenset()
    is_declared: bool = False


class Meaning(Protocol):
    """What the units mean, by their positions in the list they were handed over in."""

    def nearest(self) -> Iterable[tuple[int, int]]:
        """Pairs that are alike enough to be looked at."""
        ...

    def cosines(self, pairs: Sequence[tuple[int, int]]) -> Sequence[float]:
        """Cosine of each pair, 0 where one has no vector."""
        ...


def likely_pairs(
    units: Sequence[Unit], meaning: Meaning, floor: float
) -> Iterator[tuple[int, int, float]]:
    """(a, b, probability) of each candidate pair at `floor` or above, each pair once."""
    affinity = _Affinity(units)
    chunk: list[tuple[int, int]] = []
    for unit, partners in enumerate(_partners(units, meaning)):
        chunk += [(unit, other) for other in sorted(partners)]
        if len(chunk) >= _PAIRS_AT_ONCE or unit == len(units) - 1:
            for (a, b), cosine in zip(chunk, meaning.cosines(chunk), strict=True):
                probability = affinity.of(a, b, cosine)
                if probability >= floor:
                    yield a, b, probability
            chunk = []


def _partners(units: Sequence[Unit], meaning: Meaning) -> Iterator[set[int]]:
    """For each unit the candidates before it in the list."""
    near: dict[int, list[int]] = defaultdict(list)
    for a, b in meaning.nearest():
        near[max(a, b)].append(min(a, b))
    commonness = Counter(file for unit in units for file in unit.files)
    blocks: dict[tuple[str, str], list[tuple[float, str, int]]] = defaultdict(list)
    names: list[list[tuple[str, str]]] = []
    for position, unit in enumerate(units):
        telling = sorted(unit.files, key=lambda file: (commonness[file], file))[:_TELLING_FILES]
        names.append([("author", name) for name in unit.authors])
        names[-1] += [("file", name) for name in telling if commonness[name] > 1]
        for block in names[-1]:
            # First and last are enough to find neighbours by; nearness looks at all times.
            for time in {unit.times[0], unit.times[-1]}:
                blocks[block].append((time, unit.key, position))
    for events in blocks.values():
        events.sort()
    for position, unit in enumerate(units):
        found = set(near.get(position, ()))
        for block in names[position]:
            most = _AUTHOR_NEIGHBOURS if block[0] == "author" else _FILE_NEIGHBOURS
            for time in {unit.times[0], unit.times[-1]}:
                place = bisect_left(blocks[block], (time, unit.key, position))
                around = blocks[block][max(0, place - most) : place + most + 1]
                found.update(p for at, _, p in around if abs(at - time) <= WINDOW_SECONDS)
        yield {other for other in found if other < position}


class _Affinity:
    """The probability for pairs of one list of units."""

    def __init__(self, units: Sequence[Unit]) -> None:
        commonness = Counter(file for unit in units for file in unit.files)
        # 1 for a file of one unit, 0.63 of two, 0.3 of ten: however large the workspace is.
        self._rarity = {file: 1 / math.log2(1 + count) for file, count in commonness.items()}
        # fsum is exact, so a set's order of iteration does not show in the last digit.
        self._weight = [math.fsum(map(self._rarity.__getitem__, unit.files)) for unit in units]
        self._units = units

    def of(self, a: int, b: int, cosine: float) -> float:
        one, other = self._units[a], self._units[b]
        score = _BIAS + _COSINE * cosine
        score += _LOG_MINUTES * math.log1p(seconds_apart(one.times, other.times) / 60)
        if not one.authors.isdisjoint(other.authors):
            score += _SAME_AUTHOR
        shared = [self._rarity[file] for file in one.files & other.files]
        if shared:
            common = math.fsum(shared)
            score += _FILES_ALIKE * common / (self._weight[a] + self._weight[b] - common)
            score += _RAREST_FILE * max(shared)
        if one.is_declared and other.is_declared:
            score += _TOLD_APART
        return 1 / (1 + math.exp(-score))


def seconds_apart(one: Sequence[float], other: Sequence[float]) -> float:
    """Seconds between the two nearest events, never negative and never counted from now."""
    if len(one) > len(other):
        one, other = other, one
    nearest = math.inf
    for time in one:
        place = bisect_left(other, time)
        for neighbour in other[max(0, place - 1) : place + 1]:
            nearest = min(nearest, abs(time - neighbour))
    return nearest
