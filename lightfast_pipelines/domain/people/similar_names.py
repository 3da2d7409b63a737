"""Evidence of names that are alike: short forms, initials, longer forms, misspellings.

By itself it only makes doubtful pairs; together with a company's domain or a login it joins.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Sequence
from itertools import combinations

from lightfast_pipelines.domain.people.bonds import Bond, bond
from lightfast_pipelines.domain.people.clues import Clues
from lightfast_pipelines.domain.people.identities import Identity
from lightfast_pipelines.domain.people.likeness import (
    Likeness,
    are_two_names,
    first_names_agree,
    full_likeness,
    is_misspelled,
)
from lightfast_pipelines.domain.people.name_lists import SHORT_FORMS
from lightfast_pipelines.domain.people.names import PersonName, is_common_family

# A block of more different names than this is that of a very common name.
_MOST_NAMES = 20
# At most this many identities of a name are compared with those of another name.
_MOST_COMPARED = 20


def similar_bonds(
    people: Sequence[Identity], clues: Sequence[Clues], left_out: Container[int]
) -> list[Bond]:
    numbers: dict[PersonName, list[int]] = defaultdict(list)
    for number, identity in enumerate(people):
        name = clues[number].name
        if number in left_out or identity.is_account:
            continue
        if name.is_full and len(name.telling) > 1:
            numbers[name].append(number)
    blocks: dict[tuple[str, ...], list[PersonName]] = defaultdict(list)
    for name in numbers:
        for initial in {form[0] for form in (name.first, *SHORT_FORMS.get(name.first, ()))}:
            blocks["last", name.last, initial].append(name)
        blocks["first", name.first, name.last[0]].append(name)
    pairs = {
        pair
        for block in blocks.values()
        if 1 < len(block) <= _MOST_NAMES
        for pair in combinations(sorted(block, key=lambda name: name.words), 2)
    }
    bonds = []
    for left, right in sorted(pairs, key=lambda pair: (pair[0].words, pair[1].words)):
        if full_likeness(left, right) is not Likeness.COMPATIBLE or are_two_names(left, right):
            continue
        rule = _rule_of(left, right)
        one, other, support = _support(clues, numbers[left], numbers[right])
        detail = f"{people[one].name} and {people[other].name} are alike"
        if support:
            rule, detail = f"{rule}_supported", f"{detail}, and both use {support}"
        bonds.append(bond(rule, "claimed", [one, other], detail))
    return bonds


def _rule_of(left: PersonName, right: PersonName) -> str:
    if left.last == right.last and first_names_agree(left.first, right.first):
        if min(len(left.first), len(right.first)) == 1:
            return "initial"
        return "common_short_name" if is_common_family(left.last) else "short_name"
    return "misspelled" if is_misspelled(left, right) else "longer_name"


def _support(
    clues: Sequence[Clues], left: Sequence[int], right: Sequence[int]
) -> tuple[int, int, str]:
    """An identity of each name, and the login or the company's domain that they share, if any."""
    for one in left[:_MOST_COMPARED]:
        for other in right[:_MOST_COMPARED]:
            shared = {login for login in clues[one].logins & clues[other].logins if len(login) > 3}
            if shared:
                return one, other, min(shared)
            if clues[one].domain and clues[one].domain == clues[other].domain:
                return one, other, str(clues[one].domain)
    return left[0], right[0], ""
