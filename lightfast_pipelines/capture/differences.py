"""What changed between the rows an observation had and the rows it shall have.

Only rows that differ are written: a repeated payload touches nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

Key = TypeVar("Key")
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Differences(Generic[Key, Row]):
    """Rows to take away and rows to add; a changed row is in both."""

    removed: Mapping[Key, Row]
    added: Mapping[Key, Row]


def differences(old: Mapping[Key, Row], new: Mapping[Key, Row]) -> Differences[Key, Row]:
    removed = {key: row for key, row in old.items() if new.get(key) != row}
    added = {key: row for key, row in new.items() if old.get(key) != row}
    return Differences(removed, added)
