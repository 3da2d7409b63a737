"""Puts the finds of all paths in one order: reciprocal ranks, or a model over declared features.

Pure. `domain/search_weights.py` holds the weights, which `bench.retrieval` learns.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from lightfast_pipelines.domain import search_weights
from lightfast_pipelines.search.results import PathName

RECIPROCAL_CONSTANT = 30
DEPTH_OF_CONFIDENCE = 10
# What waits for its vectors is taken to be neither close nor far.
_UNKNOWN_SIMILARITY = 0.4

FEATURES = (
    "text",
    "coverage",
    "similarity",
    "entities",
    "cluster",
    "significance",
    "age",
    "about a thing named",
    "by a person named",
    "preferred type",
)
"""What the model of the balanced mode sees of a candidate, in this order.

`cluster` is the best evidence among the candidates of its cluster: where one part of a piece of work fits,
its other parts belong to the answer. It takes the place of a score of the clusters path, which gained less.
"""


@dataclass(slots=True)
class Candidate:
    """An observation that some path found."""

    observation: int
    ranks: dict[PathName, int] = field(default_factory=dict)
    scores: dict[PathName, float] = field(default_factory=dict)
    text_score: float = 0.0
    coverage: float = 0.0
    similarities: Mapping[str, float] = field(default_factory=dict)
    significance: int = 0
    occurred_at: datetime | None = None
    cluster: str = ""
    is_preferred: bool = False
    is_about_named: bool = False
    is_by_named: bool = False
    fused: float = 0.0
    final: float = 0.0

    @property
    def similarity(self) -> float:
        return max(self.similarities.values(), default=0.0)


def features_of(candidates: Sequence[Candidate], now: datetime) -> list[tuple[float, ...]]:
    """The features of each candidate, of which some depend on the others."""
    best_text = max((each.text_score for each in candidates), default=0.0) or 1.0
    evidence = [
        0.3 * each.text_score / best_text
        + 0.6 * each.coverage
        + 0.5 * each.similarity
        + 0.3 * math.log1p(each.scores.get("entities", 0.0))
        for each in candidates
    ]
    clusters = _best_of_cluster(candidates, evidence)
    return [
        (
            each.text_score / best_text,
            each.coverage,
            each.similarity,
            math.log1p(each.scores.get("entities", 0.0)),
            cluster,
            each.significance / 100,
            _age(each, now),
            float(each.is_about_named),
            float(each.is_by_named),
            float(each.is_preferred),
        )
        for each, cluster in zip(candidates, clusters, strict=True)
    ]


def _best_of_cluster(candidates: Sequence[Candidate], values: Sequence[float]) -> list[float]:
    """For each candidate the best value in its cluster; one that waits for its cluster is alone."""
    clusters = [each.cluster or str(each.observation) for each in candidates]
    best: dict[str, float] = {}
    for cluster, value in zip(clusters, values, strict=True):
        best[cluster] = max(value, best.get(cluster, value))
    return [best[cluster] for cluster in clusters]


def _age(candidate: Candidate, now: datetime) -> float:
    """0 for now, 0.59 for a year ago, 0.82 for ten."""
    if candidate.occurred_at is None:
        return 0.0
    days = (now - candidate.occurred_at).total_seconds() / 86_400
    return math.log1p(max(days, 0.0)) / 10


def gather(found: Mapping[PathName, Mapping[int, float]]) -> dict[int, Candidate]:
    """The candidates of all paths, each with its rank and score per path."""
    candidates: dict[int, Candidate] = {}
    for path, scores in found.items():
        for rank, (observation, score) in enumerate(scores.items(), 1):
            candidate = candidates.setdefault(observation, Candidate(observation))
            candidate.ranks[path] = rank
            candidate.scores[path] = score
    return candidates


def fuse(candidates: Mapping[int, Candidate]) -> None:
    """Reciprocal rank fusion: what several paths have near their top comes first."""
    for candidate in candidates.values():
        candidate.fused = sum(
            search_weights.FUSION[path] / (RECIPROCAL_CONSTANT + rank)
            for path, rank in candidate.ranks.items()
        )


def order_fast(candidates: Mapping[int, Candidate], now: datetime) -> list[Candidate]:
    """By fused rank and the best one in the cluster; significance, age and names shift it a little."""
    every = list(candidates.values())
    clusters = _best_of_cluster(every, [each.fused for each in every])
    for candidate, cluster in zip(every, clusters, strict=True):
        candidate.final = (candidate.fused + search_weights.CLUSTER * cluster) * (
            1
            + search_weights.SIGNIFICANCE * candidate.significance / 100
            - search_weights.AGE * _age(candidate, now)
            + search_weights.PREFERRED * candidate.is_preferred
            + search_weights.ABOUT_NAMED * candidate.is_about_named
            + search_weights.BY_NAMED * candidate.is_by_named
        )
    return _ordered(candidates)


def order_balanced(
    candidates: Mapping[int, Candidate],
    now: datetime,
    weights: Sequence[float] | None = None,
) -> list[Candidate]:
    """By the model's score."""
    weights = search_weights.BALANCED if weights is None else weights
    every = list(candidates.values())
    for candidate, features in zip(every, features_of(every, now), strict=True):
        candidate.final = sum(
            weight * value for weight, value in zip(weights, features, strict=True)
        )
    return _ordered(candidates)


def _ordered(candidates: Mapping[int, Candidate]) -> list[Candidate]:
    return sorted(candidates.values(), key=lambda each: (-round(each.final, 9), -each.observation))


def confidence(ordered: Sequence[Candidate], *, is_named: bool) -> float:
    """How likely the first hits answer the question, 0 to 1. What it names and is there does answer it."""
    if not ordered:
        return 0.0
    if is_named:
        return 1.0
    bias, weights = search_weights.CONFIDENCE
    values = confidence_features(ordered)
    total = bias + sum(weight * value for weight, value in zip(weights, values, strict=True))
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, total))))


def confidence_features(ordered: Sequence[Candidate]) -> tuple[float, ...]:
    """What tells an answer from the best of nothing: how much of the question the first hits cover and how
    close they are, the best of them, three of them, both in one of them, and the very first."""
    top = ordered[:DEPTH_OF_CONFIDENCE]
    if not top:
        return (0.0,) * 7
    close_to = [each.similarity if each.similarities else _UNKNOWN_SIMILARITY for each in top]
    covered = sorted((each.coverage for each in top), reverse=True)[:3]
    close = sorted(close_to, reverse=True)[:3]
    return (
        covered[0],
        sum(covered) / len(covered),
        close[0],
        sum(close) / len(close),
        max(each.coverage * near for each, near in zip(top, close_to, strict=True)),
        top[0].coverage,
        close_to[0],
    )
