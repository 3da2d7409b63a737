"""Learns how likely two commits are one piece of work: `python -m bench.quality.cluster_training`.

It writes domain/affinity_weights.py from the earlier half of ipython and all of starlette. Before, it
prints the quality on that material for several values of the rule's one constant, by cross-validation:
each stretch of time is judged by weights that come from the others.
"""

from __future__ import annotations

import argparse
import itertools
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from bench.corpus import CORPUS
from bench.quality.cluster_gold import GoldHistory, histories
from bench.quality.clusters import FEWEST_COMMITS, agreement, parts
from lightfast_pipelines.domain import clusters
from lightfast_pipelines.domain.affinity import candidates
from lightfast_pipelines.domain.pair_evidence import OwnWork, PairEvidence

if TYPE_CHECKING:
    from numpy.typing import NDArray

TARGET = Path(__file__).parents[2] / "lightfast_pipelines" / "domain" / "affinity_weights.py"
_STRETCHES = 6
# What a pair of starlette counts: nearly all of its threads are one commit, and it would outvote ipython.
_SECOND_PROJECT = 0.3


class Pairs:
    """The candidate pairs of a history; those of its first `last` commits are material to learn from."""

    def __init__(self, history: GoldHistory, last: int, weight: float) -> None:
        threads = history.threads()
        self.history = history
        self.last = last
        self.own = OwnWork(threads.units)
        evidence = PairEvidence(threads.units, self.own)
        self.pairs: list[tuple[int, int]] = []
        features: list[tuple[float, ...]] = []
        by_one_author: list[bool] = []
        for a, b, cosine in candidates(threads.units, self.own.order, history.meaning(threads)):
            is_own, values = evidence.features(a, b, cosine)
            self.pairs.append((a, b))
            features.append(values)
            by_one_author.append(is_own)
        self.features = features
        self.by_one_author = np.array(by_one_author)
        self.is_same = np.array([history.gold[a] == history.gold[b] for a, b in self.pairs])
        # Each commit counts the same, however many candidates it has: that is how B-cubed counts.
        earlier, later = Counter(a for a, _ in self.pairs), Counter(b for _, b in self.pairs)
        self.weight = np.array([weight * (1 / earlier[a] + 1 / later[b]) for a, b in self.pairs])
        first, second = np.array(self.pairs).T
        bounds = [last * stretch // _STRETCHES for stretch in range(_STRETCHES + 1)]
        self.stretch = np.where(second < last, np.searchsorted(bounds, second, "right") - 1, -1)
        self.touches = np.array(
            [(first < end) & (second >= start) for start, end in itertools.pairwise(bounds)]
        )


class Material:
    """Rows of features, from the chosen pairs of several histories."""

    def __init__(
        self,
        histories: Sequence[Pairs],
        chosen: Sequence[NDArray[np.bool_]],
        features: Sequence[NDArray[np.float64]],
    ) -> None:
        def together(values: Sequence[NDArray[Any]]) -> NDArray[Any]:
            return np.concatenate([v[mask] for v, mask in zip(values, chosen, strict=True)])

        self._x = np.concatenate(features)
        self._y = together([p.is_same for p in histories])
        self._weight = together([p.weight for p in histories])
        self._stretch = together([p.stretch for p in histories])
        self._touches = [
            together([p.touches[stretch] for p in histories]) for stretch in range(_STRETCHES)
        ]
        self._sizes = [len(x) for x in features]

    def learn(self) -> tuple[NDArray[np.float64], list[NDArray[np.float64]]]:
        """((bias, weights), scores of each history's chosen pairs).

        The score of a pair of the material is from weights that saw no pair of its stretch.
        """
        known = self._stretch >= 0
        final = self._fit(known)
        scores = final[0] + self._x @ final[1:]
        for stretch, touches in enumerate(self._touches):
            others = self._fit(known & ~touches)
            mine = self._stretch == stretch
            scores[mine] = others[0] + self._x[mine] @ others[1:]
        return final, np.split(scores, np.cumsum(self._sizes)[:-1])

    def _fit(self, rows: NDArray[np.bool_]) -> NDArray[np.float64]:
        x = self._x[rows]
        mean, scale = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-9)
        model = LogisticRegression(max_iter=3_000)
        model.fit((x - mean) / scale, self._y[rows], sample_weight=self._weight[rows])
        weights = model.coef_[0] / scale
        return np.concatenate(([model.intercept_[0] - weights @ mean], weights))


def rows_of(pairs: Pairs, chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.array([pairs.features[place] for place in np.flatnonzero(chosen)])


def second_rows(
    pairs: Pairs, chosen: NDArray[np.bool_], scores: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The features of the second stage, from the scores of the first."""
    places = np.flatnonzero(chosen).tolist()
    for place, score in zip(places, scores.tolist(), strict=True):
        pairs.own.note_link(*pairs.pairs[place], score)
    pairs.own.add_up_beginnings()
    beginnings = [pairs.own.beginnings_between(*pairs.pairs[place]) or 0.0 for place in places]
    return np.column_stack([scores, np.log1p(beginnings)])


def show(pairs: Pairs, scores: NDArray[np.float64]) -> None:
    units = pairs.history.threads().units
    probabilities = 1 / (1 + np.exp(-scores))
    weighed = [(a, b, p) for (a, b), p in zip(pairs.pairs, probabilities.tolist(), strict=True)]
    for recall in (0.8, 0.9, 1.0, 1.1, 1.2, 1.3):
        division = pairs.history.division(clusters.group(units, weighed, recall))
        for (half, which), places in parts(pairs.history).items():
            if len(places) >= FEWEST_COMMITS and places[-1] < pairs.last:
                agreed = agreement(pairs.history, division, places)
                name = f"{pairs.history.name}, {half}, {which}"
                print(f"recall counts {recall}: {name}: F1 {agreed.f1(agreed.all_once()):.3f}")


def write(
    one: NDArray[np.float64], others: NDArray[np.float64], second: NDArray[np.float64]
) -> None:
    def numbers(weights: NDArray[np.float64]) -> str:
        return ", ".join(f"{weight:.4g}" for weight in weights)

    TARGET.write_text(
        '"""The weights of pair_evidence.py, written by `python -m bench.quality.cluster_training`.\n\n'
        "Learnt from 2,266 commits of ipython (2016 to 2021) and 1,421 of starlette.\n"
        '"""\n\n'
        "from __future__ import annotations\n\n"
        "# (bias, weights in the order of the features)\n"
        f"BY_ONE_AUTHOR = (\n    {one[0]:.4g},\n    ({numbers(one[1:])}),\n)\n"
        f"BY_OTHERS = (\n    {others[0]:.4g},\n    ({numbers(others[1:])}),\n)\n"
        "# (bias, weight of the first stage's score, weight of the beginnings in between)\n"
        f"SECOND_STAGE = ({numbers(second)})\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", nargs="?", type=Path, default=CORPUS)
    loaded = histories(parser.parse_args().corpus)
    ipython, starlette = loaded["ipython"], loaded["starlette"]
    all_pairs = [
        Pairs(ipython, len(ipython.gold) // 2, 1.0),
        Pairs(starlette, len(starlette.gold), _SECOND_PROJECT),
    ]
    own = [pairs.by_one_author for pairs in all_pairs]
    foreign = [~pairs.by_one_author for pairs in all_pairs]
    one, own_scores = Material(all_pairs, own, list(map(rows_of, all_pairs, own))).learn()
    others, scores = Material(all_pairs, foreign, list(map(rows_of, all_pairs, foreign))).learn()
    rows = list(map(second_rows, all_pairs, own, own_scores))
    second, own_scores = Material(all_pairs, own, rows).learn()
    for pairs, is_own, of_one, of_others in zip(all_pairs, own, own_scores, scores, strict=True):
        together = np.empty(len(pairs.pairs))
        together[is_own], together[~is_own] = of_one, of_others
        show(pairs, together)
    write(one, others, second)


if __name__ == "__main__":
    main()
