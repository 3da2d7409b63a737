"""Estimates how likely two units are one piece of work, and chooses the pairs to estimate.

Pure: the similarity of units is passed in as cosines. `pair_evidence.py` has the features of a pair and
their weights, `clusters.py` decides which pairs become a group.

An estimate has two stages. The first looks at a pair alone. From these, each unit gets the probability
that it continues any recent work of its author. The second stage adds how often, between the two units
of a pair, their author began something else: so one commit does not join two stories that it merely
lies between.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from lightfast_pipelines.domain.pair_evidence import (
    WINDOW_SECONDS,
    OwnWork,
    PairEvidence,
    Unit,
    second_stage,
)

# How many earlier and later events of its author, and of each of its files, a unit is compared with.
_AUTHOR_NEIGHBOURS = 30
_FILE_NEIGHBOURS = 10
# A change to hundreds of files looks for candidates by its rarest files only.
_RAREST_FILES = 25
_PAIRS_AT_ONCE = 100_000
# Pairs below this score (0.2 %) are dropped at once; the second stage could not save them.
_LEAST_SCORE = -6.0


class Meaning(Protocol):
    """The similarity of units, which are named by their positions in the list."""

    def nearest(self) -> Iterable[tuple[int, int]]:
        """Pairs similar enough to be candidates."""
        ...

    def cosines(self, pairs: Sequence[tuple[int, int]]) -> Sequence[float]:
        """The cosine of each pair; 0 if a unit has no vector."""
        ...


def likely_pairs(units: Sequence[Unit], meaning: Meaning) -> Iterator[tuple[int, int, float]]:
    """(a, b, probability) of each candidate pair, each pair once, without the least likely.

    `a` began no later than `b`. The order of pairs depends on the set of units alone.
    """
    own = OwnWork(units)
    evidence = PairEvidence(units, own)
    earlier, later, scores = array("i"), array("i"), array("d")
    for a, b, cosine in candidates(units, own.order, meaning):
        score = evidence.score(a, b, cosine)
        if score >= _LEAST_SCORE:
            earlier.append(a)
            later.append(b)
            scores.append(score)
            own.note_link(a, b, score)
    own.add_up_beginnings()
    for a, b, first_score in zip(earlier, later, scores, strict=True):
        score = second_stage(units[a], units[b], first_score, own.beginnings_between(a, b))
        yield a, b, 1 / (1 + math.exp(-score))


def candidates(
    units: Sequence[Unit], order: Sequence[int], meaning: Meaning
) -> Iterator[tuple[int, int, float]]:
    """(earlier, later, cosine) of each pair to compare; `order` is that of OwnWork."""
    chunk: list[tuple[int, int]] = []
    rank = {unit: place for place, unit in enumerate(order)}
    for place, partners in enumerate(_partners(units, order, rank, meaning)):
        chunk += [(partner, order[place]) for partner in sorted(partners, key=rank.__getitem__)]
        if len(chunk) >= _PAIRS_AT_ONCE or place == len(order) - 1:
            for (a, b), cosine in zip(chunk, meaning.cosines(chunk), strict=True):
                yield a, b, cosine
            chunk = []


def _partners(
    units: Sequence[Unit], order: Sequence[int], rank: dict[int, int], meaning: Meaning
) -> Iterator[set[int]]:
    """Yields, for each unit in order, the candidates that precede it."""
    near: dict[int, list[int]] = defaultdict(list)
    for a, b in meaning.nearest():
        first, second = (a, b) if rank[a] < rank[b] else (b, a)
        near[second].append(first)
    commonness = Counter(file for unit in units for file in unit.files)
    blocks: dict[tuple[str, str], list[tuple[float, str, int]]] = defaultdict(list)
    names: dict[int, list[tuple[str, str]]] = {}
    for position in order:
        unit = units[position]
        rarest = sorted(unit.files, key=lambda file: (commonness[file], file))[:_RAREST_FILES]
        names[position] = [("author", name) for name in unit.authors]
        names[position] += [("file", name) for name in rarest if commonness[name] > 1]
        for block in names[position]:
            # The first and last time are enough to find neighbours; nearness then uses all times.
            for time in {unit.times[0], unit.times[-1]}:
                blocks[block].append((time, unit.key, position))
    for events in blocks.values():
        events.sort()
    for position in order:
        unit = units[position]
        partners = set(near.get(position, ()))
        for block in names[position]:
            most = _AUTHOR_NEIGHBOURS if block[0] == "author" else _FILE_NEIGHBOURS
            for time in {unit.times[0], unit.times[-1]}:
                place = bisect_left(blocks[block], (time, unit.key, position))
                around = blocks[block][max(0, place - most) : place + most + 1]
                partners.update(p for at, _, p in around if abs(at - time) <= WINDOW_SECONDS)
        yield {partner for partner in partners if rank[partner] < rank[position]}
