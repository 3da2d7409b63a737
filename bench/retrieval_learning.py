"""Learns the weights of search on one history, by what they make of nDCG@10, and says how good a ranking is."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from bench.retrieval_memory import DEPTH, Asked
from lightfast_pipelines.search.ranking import (
    FEATURES,
    Candidate,
    confidence_features,
    features_of,
    fuse,
    order_balanced,
    order_fast,
)
from lightfast_pipelines.search.results import PathName

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The texts of known items name nothing and prefer no type, and their answers are of any age: these weights
# are set, not learnt.
SET = {
    "entities": 0.3,
    "about a thing named": 1.0,
    "by a person named": 0.2,
    "preferred type": 0.1,
    "significance": 0.05,
    "age": -0.02,
}
_STEPS = (0.2, 0.1)
_START = {"text": 0.1, "coverage": 0.2, "similarity": 0.2, "cluster": 1.0}
# A step has to gain so much, or noise of a few questions would move weights.
_LEAST_GAIN = 0.001
KEPT = 0.9


@dataclass(frozen=True, slots=True)
class Learnt:
    """Weights of one history. `threshold` is the least confidence at which 90 % of its answers are kept."""

    balanced: tuple[float, ...]
    confidence: tuple[float, tuple[float, ...]]
    threshold: float


def ndcg(ranked: Sequence[int], relevant: frozenset[int]) -> float:
    ideal = sum(1 / math.log2(place + 2) for place in range(min(DEPTH, len(relevant))))
    gained = sum(
        1 / math.log2(place + 2)
        for place, observation in enumerate(ranked[:DEPTH])
        if observation in relevant
    )
    return gained / ideal


def recall(ranked: Sequence[int], relevant: frozenset[int]) -> float:
    return len(relevant.intersection(ranked[:DEPTH])) / min(DEPTH, len(relevant))


def reciprocal_rank(ranked: Sequence[int], relevant: frozenset[int]) -> float:
    return next(
        (1 / place for place, each in enumerate(ranked[:DEPTH], 1) if each in relevant), 0.0
    )


def without_path(asked: Asked, path: PathName, now: datetime) -> Asked:
    """The question as if the path did not exist: neither its finds nor what it knows of others' finds."""
    kept: list[Candidate] = []
    for each in asked.candidates:
        ranks = {name: rank for name, rank in each.ranks.items() if name != path}
        scores = {name: score for name, score in each.scores.items() if name != path}
        if not ranks:
            continue
        candidate = replace(each, ranks=ranks, scores=scores)
        if path == "text":
            candidate.text_score = candidate.coverage = 0.0
        elif path == "vectors":
            candidate.similarities = {}
        elif path == "clusters":
            candidate.cluster = ""
        elif path == "entities":
            candidate.is_about_named = False
        elif path == "people":
            candidate.is_by_named = False
        kept.append(candidate)
    features = np.array(features_of(kept, now)).reshape(len(kept), len(FEATURES))
    found = {name: finds for name, finds in asked.found.items() if name != path}
    return replace(asked, candidates=kept, features=features, found=found)


def learn_balanced(asked: Sequence[Asked]) -> tuple[float, ...]:
    """By coordinate ascent on nDCG@10, from a start that is the same for all."""
    known = [each for each in asked if each.relevant and each.candidates]

    def quality(weights: NDArray[np.float64]) -> float:
        return float(np.mean([ndcg(ranked(each, weights), each.relevant) for each in known]))

    start = np.array([{**_START, **SET}.get(name, 0.0) for name in FEATURES])
    free = [place for place, name in enumerate(FEATURES) if name not in SET]
    # More evidence never lowers a hit.
    least = [0.0 if place in free else -1.0 for place in range(len(FEATURES))]
    return tuple(float(weight) for weight in _ascend(quality, start, free, least))


def fast_order(asked: Asked, now: datetime) -> list[int]:
    candidates = {each.observation: each for each in asked.candidates}
    fuse(candidates)
    return [each.observation for each in order_fast(candidates, now)]


def _ascend(
    quality: Callable[[NDArray[np.float64]], float],
    start: NDArray[np.float64],
    free: Sequence[int],
    least: Sequence[float],
) -> NDArray[np.float64]:
    weights, best = start, quality(start)
    for step in _STEPS:
        improved = True
        while improved:
            improved = False
            for place in free:
                for change in (step, -step):
                    tried = weights.copy()
                    tried[place] = round(max(tried[place] + change, least[place]), 3)
                    if (found := quality(tried)) > best + _LEAST_GAIN:
                        weights, best, improved = tried, found, True
    return weights


def ranked(asked: Asked, weights: Sequence[float] | NDArray[np.float64]) -> list[int]:
    if not asked.candidates:
        return []
    order = np.argsort(-(asked.features @ np.asarray(weights)), kind="stable")[:DEPTH]
    return [asked.candidates[place].observation for place in order]


def signs(asked: Asked, balanced: Sequence[float], now: datetime) -> tuple[float, ...]:
    """What the confidence is made of, for the order of these weights."""
    ordered = order_balanced({each.observation: each for each in asked.candidates}, now, balanced)
    return confidence_features(ordered)


def learn_confidence(
    asked: Sequence[Asked], balanced: Sequence[float], now: datetime
) -> tuple[tuple[float, tuple[float, ...]], float]:
    """((bias, weights), threshold) from known items that were found and questions without an answer."""
    from sklearn.linear_model import LogisticRegression

    counted = [
        each
        for each in asked
        if not each.is_named and (not each.relevant or _is_found(each, balanced))
    ]
    x = np.array([signs(each, balanced, now) for each in counted])
    y = np.array([bool(each.relevant) for each in counted])
    mean, scale = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-9)
    model = LogisticRegression(max_iter=3_000, class_weight="balanced")
    model.fit((x - mean) / scale, y)
    weights = model.coef_[0] / scale
    bias = float(model.intercept_[0] - weights @ mean)
    likely = 1 / (1 + np.exp(-(bias + x @ weights)))
    threshold = float(np.quantile(likely[y], 1 - KEPT))
    return (bias, tuple(map(float, weights))), threshold


def _is_found(asked: Asked, balanced: Sequence[float]) -> bool:
    return bool(asked.relevant.intersection(ranked(asked, balanced)))


def likelihood(
    asked: Asked,
    balanced: Sequence[float],
    confidence: tuple[float, Sequence[float]],
    now: datetime,
) -> float:
    if asked.is_named:
        return 1.0
    bias, weights = confidence
    return float(1 / (1 + np.exp(-(bias + np.dot(weights, signs(asked, balanced, now))))))


def learn(asked: Sequence[Asked], now: datetime) -> Learnt:
    balanced = learn_balanced(asked)
    confidence, threshold = learn_confidence(asked, balanced, now)
    return Learnt(balanced, confidence, threshold)
