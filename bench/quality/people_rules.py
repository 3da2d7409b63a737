"""Measures each rule of who is who by itself: how often the pairs that it is evidence for are one person.

Rules that only make doubtful pairs are measured too: their precision says why they join nobody.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from bench.quality.figures import Figure
from bench.quality.intervals import Interval, interval
from bench.quality.people_gold import Gold, commit_identity, covered
from lightfast_pipelines.domain.people.bonds import CERTAIN, CONFIDENCE
from lightfast_pipelines.domain.people.gathering import gather_evidence

# An address of more aliases than this would count more pairs than all others together.
_MOST_ALIASES = 40


def rule_figures(data: str, golds: Sequence[Gold]) -> list[Figure]:
    """The precision of every rule among covered aliases, the most confident rule first.

    A pair with several kinds of evidence counts for each. Persons are drawn, with their pairs.
    """
    numbers: dict[Hashable, int] = {}
    pairs: dict[str, dict[tuple[int, object], tuple[int, int]]] = defaultdict(dict)
    for history, gold in enumerate(golds):
        counted = set(covered(gold))
        by_key = {commit_identity(*alias).key: alias for alias in gold}
        people = sorted((commit_identity(*alias) for alias in gold), key=lambda one: one.key)
        for bond in gather_evidence(people)[0]:
            members = [by_key[people[number].key] for number in bond.members]
            members = [alias for alias in members if alias in counted]
            if len(members) > _MOST_ALIASES:
                continue
            for pair in combinations(sorted(members), 2):
                left, right = (
                    numbers.setdefault((history, gold[alias]), len(numbers)) for alias in pair
                )
                pairs[bond.evidence.rule][history, pair] = (left, right)
    figures = []
    for rule in sorted(pairs, key=lambda rule: (-CONFIDENCE[rule], rule)):
        persons = np.array(list(pairs[rule].values()), np.int64)
        right = int((persons[:, 0] == persons[:, 1]).sum())
        note = f"{right} of {len(persons)} pairs" + (
            "" if CONFIDENCE[rule] >= CERTAIN else "; makes doubtful pairs only"
        )
        figures.append(
            Figure("people", data, f"rule {rule}", _precision(persons, len(numbers)), note=note)
        )
    return figures


def _precision(persons: NDArray[np.int64], count: int) -> Interval:
    is_right = persons[:, 0] == persons[:, 1]

    def precision(drawn: NDArray[np.int64]) -> float:
        weights = np.where(
            is_right, drawn[persons[:, 0]], drawn[persons[:, 0]] * drawn[persons[:, 1]]
        )
        total = float(weights.sum())
        return float(weights[is_right].sum()) / total if total else 1.0

    return interval(count, precision, resamples=300)
