"""Linear's errors that mean "nothing to list": a feature that the plan or the team lacks."""

from __future__ import annotations

from collections.abc import Sequence

from lightfast_pipelines.providers.nothing import Nothing, row

CODES = frozenset({"FEATURE_NOT_ACCESSIBLE"})
"""Of `extensions.code`."""

NOTHING: Sequence[Nothing] = (
    row(
        (200, 400, 403),
        r"\b(?:cycles?|projects?|initiatives?|triage|documents?|roadmaps?|customers?|releases?) "
        r"(?:features? )?(?:(?:is|are|have been|has been) )?"
        r"(?:not (?:been )?(?:enabled|available)|disabled|turned off|switched off)\b"
        r"|\bfeature (?:is )?(?:not (?:accessible|available|enabled)|disabled)\b"
        r"|\b(?:plan|subscription) does(?:n't| not) (?:include|support|allow)\b"
        r"|\bnot available on (?:your|this|the) (?:current )?plan\b",
    ),
)
