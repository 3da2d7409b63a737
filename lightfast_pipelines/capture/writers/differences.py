"""What changed between the rows an observation had and the rows it shall have.

Only rows that differ are written: a repeated payload touches nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

RowKey = TypeVar("RowKey", bound=tuple[Any, ...])
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Differences(Generic[RowKey, Row]):
    """Rows to take away and rows to add; a changed row is in both."""

    removed: Mapping[RowKey, Row]
    added: Mapping[RowKey, Row]


def differences(
    old: Mapping[RowKey, Row], new: Mapping[RowKey, Row], moved: Set[int] = frozenset()
) -> Differences[RowKey, Row]:
    """Keys begin with the observation's id. Rows of `moved` observations count as changed: what
    follows from a row depends on its observation's time too.
    """
    removed = {key: row for key, row in old.items() if new.get(key) != row or key[0] in moved}
    added = {key: row for key, row in new.items() if old.get(key) != row or key[0] in moved}
    return Differences(removed, added)
