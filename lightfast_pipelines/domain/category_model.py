"""The small model that chooses a category from the title and the changed files: a sum of weights of features."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lightfast_pipelines.domain.category_features import features
from lightfast_pipelines.domain.classification_weights import BIAS, LEARNED, WEIGHTS

# Features that are evidence by themselves. The others, such as the number of files, only add to these.
_EVIDENCE = ("w:", "1:", "b:", "all:", "most:")


@dataclass(frozen=True, slots=True)
class CategoryModel:
    """The weights of each feature and the bias, in hundredths of a logit, by category of LEARNED."""

    weights: Mapping[str, tuple[int, ...]]
    bias: tuple[int, ...]

    def choose(self, title: str, paths: Sequence[str] | None) -> tuple[str, float]:
        """The category and its probability; `other` without any evidence."""
        known = [name for name in features(title, paths) if name in self.weights]
        if not any(name.startswith(_EVIDENCE) for name in known):
            return "other", 0.0
        # Whole numbers have the same sum in any order.
        rows = [self.weights[name] for name in known]
        sums = list(map(sum, zip(self.bias, *rows, strict=True)))
        best = max(sums)
        odds = sum([math.exp((total - best) / 100) for total in sums])
        return LEARNED[sums.index(best)], 1 / odds


SHIPPED = CategoryModel(WEIGHTS, BIAS)
