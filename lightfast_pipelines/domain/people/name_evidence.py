"""Evidence of equal names of two words or more, which commits and accounts claim.

Each spelling is a rule of its own, as each has its own precision. A very common name is no evidence by
itself, and an account's name never joins it: an account joins by its login (`handle_evidence.py`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Sequence
from itertools import combinations

from lightfast_pipelines.domain import email_addresses
from lightfast_pipelines.domain.people.bonds import Bond, bond
from lightfast_pipelines.domain.people.clues import Clues
from lightfast_pipelines.domain.people.identities import Identity
from lightfast_pipelines.domain.people.likeness import middles_agree
from lightfast_pipelines.domain.people.name_lists import SHARED_FAMILY
from lightfast_pipelines.domain.people.names import (
    is_common,
    name_keys,
    order_keys,
    with_middle_of,
)

# A first and last name with more middle names than this belongs to many people.
_MOST_MIDDLE_NAMES = 12


def name_bonds(
    people: Sequence[Identity], clues: Sequence[Clues], left_out: Container[int]
) -> list[Bond]:
    """`left_out` are identities whose names say nothing."""
    named = [
        number
        for number, identity in enumerate(people)
        if clues[number].name.is_full and identity.kind != "organization" and number not in left_out
    ]
    commits = [number for number in named if not people[number].is_account]
    written = {number: " ".join((people[number].name or "").casefold().split()) for number in named}
    bonds: list[Bond] = []

    def add(rule: str, blocks: dict[str, list[int]], seen: Callable[[int], object]) -> None:
        """A bond for every block in which the stronger rules see more than one name."""
        for block in blocks.values():
            if len({seen(number) for number in block}) < 2:
                continue
            name = clues[block[0]].name
            detail = f"both are called {people[block[0]].name}"
            if rule != "full_name":
                other = next(n for n in block if seen(n) != seen(block[0]))
                detail = f"{people[block[0]].name} and {people[other].name} are one name"
            bonds.append(bond("common_name" if name.is_common else rule, "claimed", block, detail))

    exactly = _blocks(commits, lambda number: [written[number]])
    add("full_name", exactly, lambda number: number)
    spelling = _blocks(commits, lambda number: name_keys(clues[number].name))
    add("name_spelling", spelling, written.__getitem__)
    order = _blocks(commits, lambda number: order_keys(clues[number].name))
    add("name_order", order, lambda number: min(name_keys(clues[number].name)))
    bonds += _same_company(people, clues, order)
    bonds += _middle_names(people, clues, commits)
    bonds += _accounts(people, clues, named)
    return bonds


def _blocks(
    numbers: Iterable[int], keys_of: Callable[[int], Iterable[str]]
) -> dict[str, list[int]]:
    blocks: dict[str, list[int]] = defaultdict(list)
    for number in numbers:
        for key in keys_of(number):
            blocks[key].append(number)
    return {key: block for key, block in blocks.items() if len(block) > 1}


def _same_company(
    people: Sequence[Identity], clues: Sequence[Clues], blocks: dict[str, list[int]]
) -> list[Bond]:
    """A common name at one company's domain is one person, except for names that millions share."""
    bonds = []
    for block in blocks.values():
        name = clues[block[0]].name
        if name.is_common and not SHARED_FAMILY & set(name.words):
            by_domain = _blocks(block, lambda number: [clues[number].domain or ""])
            by_domain.pop("", None)
            bonds += [
                bond(
                    "name_and_company",
                    "claimed",
                    members,
                    f"both are called {people[members[0]].name} and write from {domain}",
                )
                for domain, members in by_domain.items()
            ]
    return bonds


def _middle_names(
    people: Sequence[Identity], clues: Sequence[Clues], commits: Sequence[int]
) -> list[Bond]:
    """`Ann B. Lee`, `Ann Beth Lee` and `Ann Lee`, unless there is an `Ann C. Lee` too."""
    names = {
        number: with_middle_of(clues[number].name, email_addresses.local_part(people[number].email))
        for number in commits
        if len(clues[number].name.telling) > 1
    }
    bonds = []
    for block in _blocks(
        names, lambda number: [f"{names[number].first} {names[number].last}"]
    ).values():
        by_name: dict[tuple[str, ...], int] = {}
        for number in block:
            by_name.setdefault(names[number].words, number)
        if not 1 < len(by_name) <= _MOST_MIDDLE_NAMES:
            continue
        pairs = list(combinations([by_name[words] for words in sorted(by_name)], 2))
        agree = {pair: middles_agree(names[pair[0]], names[pair[1]]) for pair in pairs}
        for left, right in (pair for pair in pairs if agree[pair]):
            # Without a middle name, it may be either of two who have different ones.
            without = any(len(names[number].words) == 2 for number in (left, right))
            is_open = without and not all(agree.values())
            common = is_common((names[left].first, names[left].last))
            rule = "common_name" if common else "open_middle_name" if is_open else "middle_name"
            detail = f"{people[left].name} and {people[right].name} differ in middle names only"
            bonds.append(bond(rule, "claimed", [left, right], detail))
    return bonds


def _accounts(
    people: Sequence[Identity], clues: Sequence[Clues], named: Sequence[int]
) -> list[Bond]:
    """Accounts with the name of a commit's author or of another provider's account: to be reviewed."""
    blocks = _blocks(named, lambda number: order_keys(clues[number].name))
    bonds = []
    for block in blocks.values():
        accounts = [number for number in block if people[number].is_account]
        commits = [number for number in block if not people[number].is_account]
        if accounts:
            name = clues[block[0]].name
            detail = f"both are called {people[accounts[0]].name}"
            rule = "common_name" if name.is_common else "account_name"
            bonds.append(bond(rule, "claimed", [*commits[:1], *accounts], detail))
    return [each for each in bonds if len(each.members) > 1]
