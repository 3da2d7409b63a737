"""The small model that chooses a category from title and changed files: a sum of weights of features."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lightfast_pipelines.domain.category_features import features
from lightfast_pipelines.domain.classification_weights import BIAS, LEARNED, WEIGHTS

# Features that say something by themselves. The number of files is evidence only beside these.
_TELLING = ("w:", "1:", "b:", "all:", "most:")


@dataclass(frozen=True, slots=True)
class CategoryModel:
    """Weights by feature and for all, in hundredths of a logit, one for each category of LEARNED."""

    weights: Mapping[str, tuple[int, ...]]
    bias: tuple[int, ...]

    def choose(self, title: str, paths: Sequence[str] | None) -> tuple[str, float]:
        """The category and its probability; `other` without any evidence."""
        sums = list(self.bias)
        is_told = False
        for name in features(title, paths):
            weights = self.weights.get(name)
            if weights is not None:
                is_told = is_told or name.startswith(_TELLING)
                # Whole numbers have the same sum in any order.
                sums = [total + weight for total, weight in zip(sums, weights, strict=True)]
        if not is_told:
            return "other", 0.0
        best = max(sums)
        odds = sum([math.exp((total - best) / 100) for total in sums])
        return LEARNED[sums.index(best)], 1 / odds


SHIPPED = CategoryModel(WEIGHTS, BIAS)
