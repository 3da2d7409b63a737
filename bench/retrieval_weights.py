"""Writes the learnt weights of search where the rule reads them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bench.retrieval_learning import Learnt
from lightfast_pipelines.search.ranking import FEATURES
from lightfast_pipelines.search.results import PathName

TARGET = Path(__file__).parents[1] / "lightfast_pipelines" / "domain" / "search_weights.py"


def write_weights(learnt: Learnt, fusion: Mapping[PathName, float]) -> None:
    balanced = "\n".join(
        f"    {weight:.4g},  # {name}"
        for name, weight in zip(FEATURES, learnt.balanced, strict=True)
    )
    bias, weights = learnt.confidence
    paths = ", ".join(f'"{path}": {weight:.4g}' for path, weight in fusion.items())
    TARGET.write_text(
        '"""The weights of search, written by `python -m bench.retrieval --learn`.\n\n'
        "Learnt from known items of starlette and ipython, which name nothing and prefer no type: what\n"
        "names and types count, and significance and age, is set.\n"
        '"""\n\n'
        "from __future__ import annotations\n\n"
        "# Of the fast mode: of each path's reciprocal rank.\n"
        f"FUSION = {{{paths}}}\n"
        "SIGNIFICANCE = 0.05\n"
        "AGE = 0.02\n"
        "PREFERRED = 0.2\n"
        "ABOUT_NAMED = 1.0\n"
        "BY_NAMED = 0.2\n"
        "# Of the balanced mode, in the order of the features.\n"
        f"BALANCED = (\n{balanced}\n)\n"
        "# (bias, weights of what confidence is made of), and the least that is an answer.\n"
        f"CONFIDENCE = ({bias:.4g}, ({', '.join(f'{weight:.4g}' for weight in weights)}))\n"
        f"LEAST_CONFIDENCE = {learnt.threshold:.3f}\n"
    )
