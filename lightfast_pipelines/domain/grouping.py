"""Joining numbered things into groups: union-find, whose groups do not depend on the order of joins.

Knows nothing of what the numbers stand for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator


class Groups:
    """Numbers 0 to count - 1, at first each in a group of its own. A group is named by its smallest."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def find(self, number: int) -> int:
        """The smallest number of its group."""
        parent = self._parent
        root = number
        while parent[root] != root:
            root = parent[root]
        while parent[number] != root:
            parent[number], number = root, parent[number]
        return root

    def join(self, one: int, other: int) -> None:
        first, second = self.find(one), self.find(other)
        if first < second:
            self._parent[second] = first
        else:
            self._parent[first] = second

    def __iter__(self) -> Iterator[list[int]]:
        """The groups by their smallest number, each sorted."""
        members: dict[int, list[int]] = defaultdict(list)
        for number in range(len(self._parent)):
            members[self.find(number)].append(number)
        return iter(members.values())
