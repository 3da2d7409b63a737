"""Accounts of two providers with one login, or with a login that is the other's name: to be reviewed.

A login is free to choose at every provider, so it joins no accounts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Sequence
from itertools import combinations

from lightfast_pipelines.domain.people.bonds import Bond, bond
from lightfast_pipelines.domain.people.clues import (
    SHORTEST_HANDLE,
    Clues,
    is_distinctive,
    name_words,
)
from lightfast_pipelines.domain.people.identities import Identity
from lightfast_pipelines.domain.people.likeness import Likeness, likeness
from lightfast_pipelines.domain.people.names import plain

# A login that more accounts than this have is an ordinary word.
_MOST_OF_A_LOGIN = 10


def account_login_bonds(
    people: Sequence[Identity], clues: Sequence[Clues], left_out: Container[int]
) -> list[Bond]:
    words = name_words(clues)
    blocks: dict[str, list[int]] = defaultdict(list)
    for number, identity in enumerate(people):
        is_person = identity.is_account and not identity.is_bot and identity.kind != "organization"
        if is_person and number not in left_out:
            for handle in _handles(identity, clues[number]):
                if len(handle) >= SHORTEST_HANDLE and is_distinctive(handle, words):
                    blocks[handle].append(number)
    bonds = []
    for handle, block in sorted(blocks.items()):
        for left, right in combinations(block, 2) if len(block) <= _MOST_OF_A_LOGIN else ():
            logins = sum(handle in _logins(people[number]) for number in (left, right))
            names = clues[left].name, clues[right].name
            if people[left].source == people[right].source or not logins:
                continue
            # Unlike names contradict, but an account often has none.
            if all(name.words for name in names) and likeness(*names) is Likeness.CONFLICT:
                continue
            detail = (
                f"the login of both is {handle}"
                if logins == 2
                else f"the login {handle} of one is the name of the other"
            )
            bonds.append(bond("account_login", "claimed", [left, right], detail))
    return bonds


def _handles(identity: Identity, clues: Clues) -> list[str]:
    name = {plain(identity.name)} if clues.name.is_full else set()
    return sorted(_logins(identity) | name)


def _logins(identity: Identity) -> set[str]:
    return {plain(login) for login in (identity.username, *identity.logins)} - {""}
