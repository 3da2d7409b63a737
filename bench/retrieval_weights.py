"""Writes the learnt weights of search where the rule reads them."""

from __future__ import annotations

from pathlib import Path

from bench.retrieval_learning import Learnt
from lightfast_pipelines.search.ranking import FEATURES

TARGET = Path(__file__).parents[1] / "lightfast_pipelines" / "domain" / "search_weights.py"


def write_weights(learnt: Learnt) -> None:
    balanced = "\n".join(
        f"    {weight:.4g},  # {name}"
        for name, weight in zip(FEATURES, learnt.balanced, strict=True)
    )
    bias, weights = learnt.confidence
    TARGET.write_text(
        '"""The weights of search, written by `python -m bench.retrieval --learn`.\n\n'
        "Learnt from known items of starlette and ipython, which name nothing and prefer no type: what names and\n"
        "types count, significance and age, is set. So is all of the fast mode: weights of paths that were learnt\n"
        "on one project were no better on the other.\n"
        '"""\n\n'
        "from __future__ import annotations\n\n"
        "# Of the fast mode: of each path's reciprocal rank, and of the best sum in the cluster; the others are\n"
        "# shares by which it changes.\n"
        'FUSION = {"text": 1.0, "vectors": 0.6, "entities": 1.0, "people": 0.5, "clusters": 0.2}\n'
        "CLUSTER = 1.5\n"
        "SIGNIFICANCE = 0.01\n"
        "AGE = 0.01\n"
        "PREFERRED = 0.03\n"
        "ABOUT_NAMED = 1.0\n"
        "BY_NAMED = 0.2\n"
        "# Of the balanced mode, in the order of the features.\n"
        f"BALANCED = (\n{balanced}\n)\n"
        "# (bias, weights of what confidence is made of), and the least that is an answer.\n"
        f"CONFIDENCE = ({bias:.4g}, ({', '.join(f'{weight:.4g}' for weight in weights)}))\n"
        f"LEAST_CONFIDENCE = {learnt.threshold:.3f}\n"
    )
