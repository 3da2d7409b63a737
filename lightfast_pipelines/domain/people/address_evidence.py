"""Evidence of equal addresses in commits, which their authors claim.

An address that many people use joins only those of one name. `address_owners.py` says whose an address
is if people of different names commit with it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Sequence
from itertools import combinations

from lightfast_pipelines.domain import email_addresses
from lightfast_pipelines.domain.people.address_owners import owners
from lightfast_pipelines.domain.people.bonds import Bond, bond
from lightfast_pipelines.domain.people.clues import Clues
from lightfast_pipelines.domain.people.components import Components
from lightfast_pipelines.domain.people.identities import Identity
from lightfast_pipelines.domain.people.likeness import Likeness, full_likeness, likeness
from lightfast_pipelines.domain.people.name_lists import GIVEN_NAMES
from lightfast_pipelines.domain.people.names import PersonName, order_keys, plain

# An address is shared, such as a team's or a robot's, if more different names than this commit with it.
MOST_NAMES_OF_AN_ADDRESS = 3
_MOST_COMPARED = 20


def address_bonds(
    people: Sequence[Identity],
    clues: Sequence[Clues],
    is_bot: Sequence[bool],
    verified: Components,
) -> tuple[list[Bond], frozenset[int]]:
    """(evidence, borrowers): commit identities with one address, and the account that has verified it.

    Borrowers are identities that committed with somebody else's address, so their names say nothing.
    """
    addresses_of = _addresses_of_names(people, clues)
    bonds: list[Bond] = []
    borrowed: set[int] = set()
    for address, everybody in _by_mailbox(people).items():
        bonds += _stated(people, everybody)
        members = [number for number in everybody if _counts(people[number])]
        persons = [n for n in members if not people[n].is_account and not is_bot[n]]
        names = {clues[number].name for number in persons}
        if _count_different(names) > MOST_NAMES_OF_AN_ADDRESS:
            continue
        accounts = {verified.find(number) for number in members if verified.has_account(number)}
        if len(accounts) > 1:
            continue
        is_shared = email_addresses.is_shared_email(people[members[0]].email if members else None)
        if is_shared and not _is_site_of_one(clues, persons, address):
            groups = _of_one_name(people, members)
        else:
            ownership = owners(clues, members, persons, addresses_of, address)
            groups = ownership.groups
            borrowed |= ownership.borrowed
            if len(ownership.contenders) > 1:
                detail = f"both use {address}, by names of different people"
                bonds.append(bond("contested_address", "claimed", ownership.contenders, detail))
        detail = f"both use {address}"
        bonds += [
            bond("commit_address", "claimed", group, detail) for group in groups if len(group) > 1
        ]
    return bonds, frozenset(borrowed)


def _is_site_of_one(clues: Sequence[Clues], persons: Sequence[int], address: str) -> bool:
    """Whether an address such as `hello@annlee.dev` is on the site of the only person that uses it."""
    site = plain((email_addresses.company_domain(address) or "").partition(".")[0])
    names = {clues[number].name for number in persons if clues[number].name.is_full}
    if any(full_likeness(*pair) is Likeness.CONFLICT for pair in combinations(names, 2)):
        return False
    return any(len(word) > 3 and word in site for name in names for word in (name.first, name.last))


def machine_bonds(
    people: Sequence[Identity], clues: Sequence[Clues], left_out: Container[int]
) -> list[Bond]:
    """One login on one machine, such as `alee@build7.lan`, whose names agree."""
    by_address: dict[str, list[int]] = defaultdict(list)
    for number, identity in enumerate(people):
        local = identity.address.rpartition("@")[0]
        if identity.is_account or number in left_out or local in GIVEN_NAMES:
            continue
        if email_addresses.is_machine_email(identity.email):
            by_address[identity.address].append(number)
    return [
        bond("machine_address", "claimed", [left, right], f"both use {address}")
        for address, members in by_address.items()
        if len(members) <= _MOST_COMPARED
        for left, right in combinations(members, 2)
        if likeness(clues[left].name, clues[right].name, plain(address.rpartition("@")[0]))
        >= Likeness.COMPATIBLE
    ]


def _by_mailbox(people: Sequence[Identity]) -> dict[str, list[int]]:
    by_mailbox: dict[str, list[int]] = defaultdict(list)
    for number, identity in enumerate(people):
        if identity.kind == "organization":
            continue
        email = identity.email
        if not identity.address and "@" in (identity.name or ""):
            # Some write the address where the name belongs.
            email = identity.name
        # `Ann via Relay <relay>`: the address is the relay's, not hers.
        if email_addresses.is_placeholder_email(email) or _is_relayed(identity):
            continue
        by_mailbox[email_addresses.mailbox(email)].append(number)
    return by_mailbox


def _is_relayed(identity: Identity) -> bool:
    return " via " in (identity.name or "").lower()


def _counts(identity: Identity) -> bool:
    return not identity.is_account or identity.email_verified


def _stated(people: Sequence[Identity], members: Sequence[int]) -> list[Bond]:
    """Accounts that state an address which nobody has verified: to be reviewed."""
    stated = [number for number in members if not _counts(people[number])]
    others = [number for number in members if _counts(people[number])]
    if not stated or len(members) < 2 or email_addresses.is_shared_email(people[stated[0]].email):
        return []
    detail = f"both state the address {people[stated[0]].address}"
    return [bond("stated_address", "claimed", [*others[:1], *stated], detail)]


def _addresses_of_names(people: Sequence[Identity], clues: Sequence[Clues]) -> dict[str, set[str]]:
    """The addresses with which each full name commits; a placeholder is none."""
    addresses: dict[str, set[str]] = defaultdict(set)
    for number, identity in enumerate(people):
        name = clues[number].name
        if not name.is_full or identity.is_account or _is_relayed(identity):
            continue
        if not email_addresses.is_placeholder_email(identity.email):
            for key in order_keys(name):
                addresses[key].add(email_addresses.mailbox(identity.email))
    return addresses


def _count_different(names: set[PersonName]) -> int:
    """How many people the names may be; more than a few are counted as they are written."""
    if len(names) > _MOST_COMPARED:
        return len(names)
    different: list[PersonName] = []
    for name in sorted(names, key=lambda name: (-len(name.words), name.words)):
        if all(likeness(name, other) < Likeness.COMPATIBLE for other in different):
            different.append(name)
    return len(different)


def _of_one_name(people: Sequence[Identity], members: Sequence[int]) -> list[list[int]]:
    """The members grouped by name, as many people share an address such as `dev@` or `root@build7`.

    `Ann` is `Ann Lee` if nobody else with that address is called Ann.
    """
    by_name: dict[str, list[int]] = defaultdict(list)
    words: dict[str, frozenset[str]] = {}
    for number in members:
        name = people[number].name or people[number].username
        key = plain(name)
        by_name[key].append(number)
        parts = frozenset(plain(word) for word in (name or "").split()) - {""}
        words[key] = words.get(key, frozenset()) | parts
    longer = {
        name: [other for other in by_name if words[name] < words[other]]
        for name in by_name
        if words[name]
    }
    groups = {name: list(numbers) for name, numbers in by_name.items()}
    for name in sorted(longer, key=lambda name: (len(words[name]), name)):
        if len(longer[name]) == 1:
            groups[longer[name][0]] += groups.pop(name)
    return [sorted(numbers) for name, numbers in sorted(groups.items()) if name]
