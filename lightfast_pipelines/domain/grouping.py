"""Joins numbers into groups by union-find; the groups do not depend on the order of joins."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator


class Groups:
    """The numbers 0 to count - 1, each in a group of its own at first."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def find(self, number: int) -> int:
        """The smallest number of the number's group."""
        parent = self._parent
        root = number
        while parent[root] != root:
            root = parent[root]
        while parent[number] != root:
            parent[number], number = root, parent[number]
        return root

    def join(self, a: int, b: int) -> None:
        smaller, larger = sorted((self.find(a), self.find(b)))
        self._parent[larger] = smaller

    def __iter__(self) -> Iterator[list[int]]:
        """The groups in order of their smallest numbers, each sorted."""
        members: dict[int, list[int]] = defaultdict(list)
        for number in range(len(self._parent)):
            members[self.find(number)].append(number)
        return iter(members.values())
