"""How an API says that there is nothing here, or that a feature is switched off.

Both are full answers: nothing was missed. They come as errors, each provider's in words of its own,
which stand as rows in a module `nothing` of its history. What may not be read is none of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lightfast_pipelines.providers.api_contract import Call


@dataclass(frozen=True, slots=True)
class Nothing:
    """An answer that means it: its statuses, a pattern of its words, and where the words alone are
    not enough one of the address that was asked for."""

    statuses: frozenset[int]
    words: re.Pattern[str]
    path: re.Pattern[str] | None = None


def row(statuses: Sequence[int], words: str, path: str | None = None) -> Nothing:
    """`words` are looked for without regard to case."""
    found = re.compile(path) if path is not None else None
    return Nothing(frozenset(statuses), re.compile(words, re.I), found)


def says_nothing(rows: Sequence[Nothing], call: Call, status: int, words: str) -> bool:
    """Whether one of the rows is this answer."""
    return any(
        status in one.statuses
        and one.words.search(words) is not None
        and (one.path is None or one.path.search(call.path) is not None)
        for one in rows
    )
