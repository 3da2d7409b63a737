"""The features of a pair of units, and the weights that make a score (log odds) of them.

Pure. `affinity.py` chooses the pairs. The weights are learnt by `python -m
bench.quality.cluster_training`, which calls the same functions.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from lightfast_pipelines.domain.affinity_weights import BY_ONE_AUTHOR, BY_OTHERS, SECOND_STAGE
from lightfast_pipelines.domain.work_marks import NO_MARKS, WorkMarks

WINDOW_SECONDS = 30 * 86_400
_LEAST_KNOWN_SECONDS = 7 * 86_400

# An assumption, not a measurement: somebody who opens two pull requests, or two issues, considers them
# separate.
_BOTH_DECLARED = -1.5

# A unit may continue any of so many units of its author before it.
_CONTINUES = 8
# The score of a unit that continues none of them, for want of a candidate: 2 %.
_NO_LINK = -3.9


@dataclass(frozen=True, slots=True)
class Unit:
    """A thread, or a single observation.

    `key` is its smallest source_id. `times` (seconds, sorted) are those of its observations. `authors` and
    `files` have the same names in every unit. `is_declared`: it contains a pull request or an issue.
    `marks` are those of its first observation.
    """

    key: str
    times: tuple[float, ...]
    authors: frozenset[str] = frozenset()
    files: frozenset[str] = frozenset()
    is_declared: bool = False
    marks: WorkMarks = NO_MARKS


class OwnWork:
    """What the authors of units did before and between them."""

    def __init__(self, units: Sequence[Unit]) -> None:
        self._units = units
        self.order = sorted(
            range(len(units)), key=lambda unit: (units[unit].times[0], units[unit].key)
        )
        self._rank: list[dict[str, int]] = [{} for _ in units]
        self._of: dict[str, list[int]] = defaultdict(list)
        for unit in self.order:
            for author in units[unit].authors:
                self._rank[unit][author] = len(self._of[author])
                self._of[author].append(unit)
        self.activity = [0.0] * len(units)
        self._first = min((unit.times[0] for unit in units), default=0.0)
        self._last = max((unit.times[0] for unit in units), default=0.0)
        for own in self._of.values():
            times = [units[unit].times[0] for unit in own]
            for unit, time in zip(own, times, strict=True):
                after = bisect_right(times, time + WINDOW_SECONDS)
                around = after - bisect_left(times, time - WINDOW_SECONDS)
                rate = math.log(around / self._known_share(time))
                self.activity[unit] = max(self.activity[unit], rate)
        self._best_link: dict[tuple[str, int], float] = {}
        self._beginnings: dict[str, list[float]] = {}

    def _known_share(self, time: float) -> float:
        """The share of the window around a time that the history covers, at least a week of it.

        Two commits in the ten days since a workspace began are twelve in a window of 60 days.
        """
        known = min(time + WINDOW_SECONDS, self._last) - max(time - WINDOW_SECONDS, self._first)
        return max(known, _LEAST_KNOWN_SECONDS) / (2 * WINDOW_SECONDS)

    def between(self, a: int, b: int) -> int | None:
        """How many units an author of both began between the two; None if they have no common author."""
        ranks, others = self._rank[a], self._rank[b]
        if len(ranks) > len(others):
            ranks, others = others, ranks
        counts = [abs(others[name] - rank) - 1 for name, rank in ranks.items() if name in others]
        return min(counts) if counts else None

    def note_link(self, a: int, b: int, score: float) -> None:
        """Takes the first stage's score of a pair; `a` began before `b`."""
        for author, rank in self._rank[a].items():
            later = self._rank[b].get(author)
            if later is not None and later - rank <= _CONTINUES:
                best = self._best_link.get((author, later), _NO_LINK)
                self._best_link[author, later] = max(best, score)

    def add_up_beginnings(self) -> None:
        """Call it after the last `note_link`."""
        for author, own in self._of.items():
            total, sums = 0.0, []
            for rank in range(len(own)):
                score = self._best_link.get((author, rank), _NO_LINK)
                total += math.log1p(math.exp(-score))
                sums.append(total)
            self._beginnings[author] = sums

    def beginnings_between(self, a: int, b: int) -> float | None:
        """How surprising it is that all units of their author after `a` up to `b` continue something.

        0 if all of them surely do. None if the two have no common author.
        """
        sums = [
            abs(self._beginnings[author][self._rank[b][author]] - self._beginnings[author][rank])
            for author, rank in self._rank[a].items()
            if author in self._rank[b]
        ]
        return min(sums) if sums else None


class PairEvidence:
    """Computes the features of pairs of units in one list."""

    def __init__(self, units: Sequence[Unit], own: OwnWork) -> None:
        self._units = units
        self._own = own
        self._stems = [frozenset(map(stem, unit.files)) for unit in units]
        self._stem_rarity = _rarities(units, self._stems)
        self._file_rarity = _rarities(units, [unit.files for unit in units])
        # fsum is exact, so the last digit does not depend on a set's order of iteration.
        self._weight = [math.fsum(rarities.values()) for rarities in self._file_rarity]

    def features(self, a: int, b: int, cosine: float) -> tuple[bool, tuple[float, ...]]:
        """(whether they have a common author, the features); `a` began before `b`."""
        first, second = self._units[a], self._units[b]
        early, late = first.marks, second.marks
        shared = first.files & second.files
        stems = self._stems[a] & self._stems[b]
        minutes = math.log1p(seconds_apart(first.times, second.times) / 60)
        common = (
            minutes,
            self._rarest(a, b, stems) if stems else 0.0,
            len(shared) / len(second.files) if shared else 0.0,
            float(early.is_routine + late.is_routine),
            float(early.closes + late.closes),
            float(late.follows_up),
            cosine,
            min(self._own.activity[a], self._own.activity[b]),
            float(early.is_whole + late.is_whole),
        )
        between = self._own.between(a, b)
        if between is None:
            weight = math.fsum(map(self._file_rarity[b].__getitem__, shared)) if shared else 0.0
            alike = weight / (self._weight[a] + self._weight[b] - weight) if shared else 0.0
            return False, (*common, alike)
        others = math.log1p(between)
        words = (early.text_words, late.text_words, late.title_words)
        return True, (*common, *words, others, others * minutes)

    def _rarest(self, a: int, b: int, stems: frozenset[str]) -> float:
        first, second = self._stem_rarity[a], self._stem_rarity[b]
        return max(min(first[name], second[name]) for name in stems)

    def score(self, a: int, b: int, cosine: float) -> float:
        """The first stage's log odds that the two are one piece of work."""
        by_one_author, features = self.features(a, b, cosine)
        bias, weights = BY_ONE_AUTHOR if by_one_author else BY_OTHERS
        return bias + sum(map(float.__mul__, weights, features))


def second_stage(first: Unit, second: Unit, score: float, beginnings: float | None) -> float:
    """The final log odds, from those of the first stage and what their author began in between."""
    if beginnings is not None:
        bias, of_score, of_beginnings = SECOND_STAGE
        score = bias + of_score * score + of_beginnings * math.log1p(beginnings)
    return score + _BOTH_DECLARED if first.is_declared and second.is_declared else score


def stem(file: str) -> str:
    """What a file and its test have in common: `src/parser.py`, `tests/test_parser.py` -> parser."""
    name = file.rpartition("/")[2].rpartition(":")[2].lower().partition(".")[0]
    return name.removeprefix("test_").removesuffix("_test") or name


def seconds_apart(first: Sequence[float], second: Sequence[float]) -> float:
    """Seconds between the nearest two of these times."""
    fewer, more = (first, second) if len(first) <= len(second) else (second, first)
    nearest = math.inf
    for time in fewer:
        place = bisect_left(more, time)
        for neighbour in more[max(0, place - 1) : place + 1]:
            nearest = min(nearest, abs(time - neighbour))
    return nearest


def _rarities(
    units: Sequence[Unit], names_of_units: Sequence[frozenset[str]]
) -> list[dict[str, float]]:
    """Of each unit's names, 1 if no other unit has it, 0.63 if one has, 0.3 if ten have.

    Only units within the window count: so a file is as rare in a workspace of ten years as in one of
    ten weeks.
    """
    times: dict[str, list[float]] = defaultdict(list)
    for unit, names in zip(units, names_of_units, strict=True):
        for name in names:
            times[name].append(unit.times[0])
    for of_name in times.values():
        of_name.sort()
    rarities: list[dict[str, float]] = []
    for unit, names in zip(units, names_of_units, strict=True):
        start, end = unit.times[0] - WINDOW_SECONDS, unit.times[0] + WINDOW_SECONDS
        counts = {
            name: bisect_right(times[name], end) - bisect_left(times[name], start) for name in names
        }
        rarities.append({name: 1 / math.log2(1 + count) for name, count in counts.items()})
    return rarities
