"""Evidence of equal addresses in commits, which their authors claim.

An address that many people use joins only those of one name.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from lightfast_pipelines.domain import email_addresses
from lightfast_pipelines.domain.people.bonds import Bond, bond
from lightfast_pipelines.domain.people.components import Components
from lightfast_pipelines.domain.people.identities import Identity
from lightfast_pipelines.domain.people.names import plain

# An address is shared, such as a team's or a robot's, if more different names than this commit with it.
MOST_NAMES_OF_AN_ADDRESS = 3


def address_bonds(
    people: Sequence[Identity], is_bot: Sequence[bool], verified: Components
) -> list[Bond]:
    """Commit identities with one address, and the account that has verified it."""
    by_address: dict[str, list[int]] = defaultdict(list)
    for number, identity in enumerate(people):
        if identity.kind == "organization" or email_addresses.is_placeholder_email(identity.email):
            continue
        # `Ann via GitGitGadget <relay>`: the address is the relay's, not hers.
        if " via " in (identity.name or "").lower():
            continue
        if not identity.is_account or identity.email_verified:
            by_address[identity.address].append(number)
    bonds = []
    for address, members in by_address.items():
        names = {
            plain(people[number].name)
            for number in members
            if not people[number].is_account and not is_bot[number]
        }
        if len(names) > MOST_NAMES_OF_AN_ADDRESS:
            continue
        accounts = {verified.find(number) for number in members if verified.has_account(number)}
        if len(accounts) > 1:
            continue
        groups = [members]
        if email_addresses.is_shared_email(address):
            groups = _of_one_name(people, members)
        detail = f"both commit as {address}"
        bonds += [
            bond("commit_address", "claimed", group, detail) for group in groups if len(group) > 1
        ]
    return bonds


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
