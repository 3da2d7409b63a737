"""Joins identities into components, strongest evidence first, and refuses what must stay apart.

The order of joins is a rule of its own (`decide.py`); with the same order the components are the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from lightfast_pipelines.domain import email_addresses
from lightfast_pipelines.domain.grouping import Groups
from lightfast_pipelines.domain.people.identities import EvidenceKind, Identity

MOST_IDENTITIES = 100
"""Claimed evidence makes no component larger than this: beyond it, a rule has gone wrong."""

# In a bond whose members fell into many components, a member is tried with this many of them.
_MOST_TRIED = 8


def _is_one_account(identity: Identity) -> bool:
    """An account, or commits with a noreply address that has an account's id."""
    noreply = email_addresses.noreply_account(identity.email)
    return identity.is_account or (noreply is not None and noreply[0] is not None)


class Components:
    """Disjoint sets of identities, by position, that know what they must not contain.

    What people decided joins components on top of the evidence, and never counts as evidence: else an
    account that somebody accepted would displace the account that a commit's address belongs to.
    """

    def __init__(
        self,
        people: Sequence[Identity],
        is_bot: Sequence[bool],
        apart: Iterable[tuple[int, int]] = (),
    ) -> None:
        self._groups = Groups(len(people))
        self._by_evidence = Groups(len(people))
        self._size = [1] * len(people)
        self._is_bot = list(is_bot)
        self._has_account = [_is_one_account(identity) for identity in people]
        self._apart: dict[int, set[int]] = defaultdict(set)
        for a, b in apart:
            self._apart[a].add(b)
            self._apart[b].add(a)

    def find(self, number: int) -> int:
        """The smallest position of its component."""
        return self._groups.find(number)

    def has_account(self, number: int) -> bool:
        return self._has_account[self._by_evidence.find(number)]

    def are_apart(self, a: int, b: int) -> bool:
        """Whether a person decided that the two components are different people."""
        if not self._apart:
            return False
        a, b = self.find(a), self.find(b)
        if a == b:
            return False
        fewer, other = sorted((a, b), key=lambda root: len(self._apart.get(root, ())))
        return any(self.find(number) == other for number in self._apart.get(fewer, ()))

    def allows(self, a: int, b: int, kind: EvidenceKind) -> bool:
        """Whether evidence of this kind may join the components of two identities."""
        if self.are_apart(a, b):
            return False
        if kind == "decided":
            return True
        a, b = self._by_evidence.find(a), self._by_evidence.find(b)
        if a == b:
            return True
        if self._is_bot[a] is not self._is_bot[b]:
            return False
        if kind == "verified":
            return True
        fits = self._size[a] + self._size[b] <= MOST_IDENTITIES
        return fits and not (self._has_account[a] and self._has_account[b])

    def join(self, a: int, b: int, kind: EvidenceKind) -> bool:
        """Joins them if that is allowed; returns whether it is."""
        if not self.allows(a, b, kind):
            return False
        smaller, larger = sorted((self.find(a), self.find(b)))
        if smaller != larger:
            self._groups.join(smaller, larger)
            if larger in self._apart:
                self._apart[smaller] |= self._apart.pop(larger)
        if kind != "decided":
            self._join_by_evidence(a, b)
        return True

    def _join_by_evidence(self, a: int, b: int) -> None:
        smaller, larger = sorted((self._by_evidence.find(a), self._by_evidence.find(b)))
        if smaller != larger:
            self._by_evidence.join(smaller, larger)
            self._size[smaller] += self._size[larger]
            self._is_bot[smaller] = self._is_bot[smaller] or self._is_bot[larger]
            self._has_account[smaller] = self._has_account[smaller] or self._has_account[larger]

    def join_all(self, members: Sequence[int], kind: EvidenceKind) -> list[int]:
        """Joins each member with the first earlier one that allows it.

        Returns one member of each component that is left, in the members' order: one if all were joined.
        """
        left: list[int] = []
        for member in members:
            if not any(self.join(other, member, kind) for other in left[:_MOST_TRIED]):
                left.append(member)
        return left

    def __iter__(self) -> Iterator[list[int]]:
        """The components in order of their smallest positions, each sorted."""
        return iter(self._groups)
