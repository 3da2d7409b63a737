"""Recognizes answers of an API that mean "nothing to list", or that a feature is off.

Both are complete answers: nothing was missed. They look like errors, with different texts at each
provider: the rows in the module `nothing` of its `api` package. A refused permission is not one of
them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lightfast_pipelines.providers.api_contract import Call


@dataclass(frozen=True, slots=True)
class Nothing:
    """Such an answer: its statuses, a pattern of its message and, where the message alone is not enough,
    a pattern of the requested address."""

    statuses: frozenset[int]
    words: re.Pattern[str]
    path: re.Pattern[str] | None = None


def row(statuses: Sequence[int], words: str, path: str | None = None) -> Nothing:
    """`words` is a pattern that ignores case."""
    path_pattern = re.compile(path) if path is not None else None
    return Nothing(frozenset(statuses), re.compile(words, re.I), path_pattern)


def says_nothing(rows: Sequence[Nothing], call: Call, status: int, words: str) -> bool:
    """Whether the answer matches one of the rows."""
    return any(
        status in row.statuses
        and row.words.search(words) is not None
        and (row.path is None or row.path.search(call.path) is not None)
        for row in rows
    )
