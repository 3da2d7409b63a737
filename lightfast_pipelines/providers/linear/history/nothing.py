"""Linear's errors that mean that there is nothing to list: a feature that the plan or the team has not."""

from __future__ import annotations

from collections.abc import Sequence

from lightfast_pipelines.providers.nothing import Nothing, row

CODES = frozenset({"FEATURE_NOT_ACCESSIBLE"})
"""Of `extensions.code`."""

NOTHING: Sequence[Nothing] = (
    row(
        (200, 400, 403),
        r"\b(?:cycles?|projects?|initiatives?|triage|documents?|roadmaps?|customers?|releases?) "
        r"(?:is|are|have been|has been) (?:not (?:been )?enabled|disabled|turned off|not available)\b"
        r"|\bfeature (?:is )?not (?:accessible|available)\b"
        r"|\bnot available on (?:your|this|the) (?:current )?plan\b",
    ),
)
