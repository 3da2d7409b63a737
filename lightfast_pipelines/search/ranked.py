"""All results of a question in order, as the ranking hands them to the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lightfast_pipelines.search.conditions import Conditions
from lightfast_pipelines.search.ranking import Candidate
from lightfast_pipelines.search.resolving import Meant
from lightfast_pipelines.search.results import PathName, PathReport
from lightfast_pipelines.search.understanding import Understood


@dataclass(frozen=True, slots=True)
class Ranking:
    """The results, what the question meant, and how the paths did.

    `counts` are the frequencies of the question's words, `found` the finds of each path.
    """

    conditions: Conditions
    understood: Understood
    meant: Meant
    reports: Sequence[PathReport]
    ordered: Sequence[Candidate]
    confidence: float
    counts: Mapping[str, int]
    found: Mapping[PathName, Mapping[int, float]]
    of_each_path: int
