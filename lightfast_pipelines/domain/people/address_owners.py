"""Whose an address is, if the names that commit with it are those of different people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lightfast_pipelines.domain.people.clues import Clues
from lightfast_pipelines.domain.people.likeness import Likeness, first_names_agree, likeness
from lightfast_pipelines.domain.people.name_lists import GIVEN_NAMES
from lightfast_pipelines.domain.people.names import PersonName, order_keys


@dataclass(frozen=True, slots=True)
class Ownership:
    """The identities of an address, grouped by who they are.

    `borrowed` are in the owner's group although their names are somebody else's, who is known from other
    addresses. `contenders` has one identity of each group that may be the owner too.
    """

    groups: list[list[int]]
    borrowed: frozenset[int] = frozenset()
    contenders: tuple[int, ...] = ()


@dataclass(slots=True)
class _Namesakes:
    """Identities whose names may be one person's, as a changed name keeps a part of the old one."""

    names: list[PersonName]
    numbers: list[int]

    def agrees(self, name: PersonName) -> bool:
        ours = {word for own in self.names for word in (*own.words, *own.spelled)}
        return bool(ours & {*name.words, *name.spelled}) or any(
            first_names_agree(own.first, name.first) or own.first[:4] == name.first[:4]
            for own in self.names
        )


def owners(
    clues: Sequence[Clues],
    members: Sequence[int],
    persons: Sequence[int],
    addresses_of: dict[str, set[str]],
    address: str,
) -> Ownership:
    """Divides the identities that have an address (`members`) among the people who commit with it.

    `persons` are the members that are commits and not by bots; `addresses_of` has the addresses of each
    name. The owner is the person with the most identities; if two have equally many, nobody owns the
    address and all stay apart. Logins and nicknames belong to the owner.
    """
    groups = _namesakes(clues, persons)
    # A name in another script may be the same name.
    scripts = {"".join(name.words).isascii() for group in groups for name in group.names}
    if len(groups) < 2 or len(scripts) > 1:
        return Ownership([list(members)])
    in_groups = {number for group in groups for number in group.numbers}
    for number in persons:
        if number not in in_groups:
            alike = [group for group in groups if _is_alike(clues, number, group)]
            if len(alike) == 1:
                alike[0].numbers.append(number)
    groups.sort(key=lambda group: (-len(group.numbers), min(group.numbers)))
    contenders = tuple(min(group.numbers) for group in groups)
    if len(groups[0].numbers) == len(groups[1].numbers):
        return Ownership([sorted(group.numbers) for group in groups], contenders=contenders)
    borrowed: set[int] = set()
    others = []
    for group in groups[1:]:
        keys = {key for name in group.names for key in order_keys(name)}
        if any(addresses_of.get(key, set()) - {address} for key in keys):
            borrowed |= set(group.numbers)
        else:
            others.append(sorted(group.numbers))
    apart = {number for group in others for number in group}
    owned = [number for number in members if number not in apart]
    return Ownership([owned, *others], frozenset(borrowed), (owned[0], *(g[0] for g in others)))


def _namesakes(clues: Sequence[Clues], persons: Sequence[int]) -> list[_Namesakes]:
    """Groups those that have a person's name: a full name, or a well-known first name."""
    groups: list[_Namesakes] = []
    named = [number for number in persons if _is_of_person(clues[number].name)]
    for number in sorted(named, key=lambda number: (clues[number].name.words, number)):
        name = clues[number].name
        alike = [group for group in groups if group.agrees(name)]
        merged = _Namesakes([name], [number])
        for group in alike:
            merged.names += group.names
            merged.numbers += group.numbers
        groups = [group for group in groups if group not in alike] + [merged]
    return groups


def _is_of_person(name: PersonName) -> bool:
    return (name.is_full and not name.word) or name.word in GIVEN_NAMES


def _is_alike(clues: Sequence[Clues], number: int, group: _Namesakes) -> bool:
    return any(likeness(clues[number].name, name) >= Likeness.COMPATIBLE for name in group.names)
