"""Evidence of handles: a login, a local part of an address, or a name written as one word.

A handle joins two identities only if their names do not contradict, and only if people would hardly
choose it by accident. With an account, it joins commits by the account's login alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Sequence
from itertools import combinations

from lightfast_pipelines.domain import email_addresses
from lightfast_pipelines.domain.people.bonds import Bond, bond
from lightfast_pipelines.domain.people.clues import (
    SHORTEST_HANDLE,
    Clues,
    is_distinctive,
    name_words,
    share_an_address,
)
from lightfast_pipelines.domain.people.identities import Identity
from lightfast_pipelines.domain.people.likeness import Likeness, likeness
from lightfast_pipelines.domain.people.name_lists import GIVEN_NAMES, SHARED_FAMILY
from lightfast_pipelines.domain.people.names import (
    PersonName,
    forms,
    has_whole_name,
    is_common_family,
    plain,
)

# Without a full name, a shorter word without a digit may be anybody's name.
_SHORTEST_LOGIN = 6
# A handle that more identities than this have is a word that many people use.
_MOST_OF_A_HANDLE = 25


def handle_bonds(
    people: Sequence[Identity], clues: Sequence[Clues], left_out: Container[int]
) -> list[Bond]:
    """Pairs that share a handle which at least one of them has as a login or in its address."""
    words = name_words(clues)
    blocks: dict[str, list[int]] = defaultdict(list)
    sites: dict[str, list[int]] = defaultdict(list)
    for number, identity in enumerate(people):
        if _takes_part(identity) and number not in left_out:
            # In order, as the evidence of a pair is told in it.
            for handle in sorted(clues[number].handles):
                if is_distinctive(handle, words):
                    blocks[handle].append(number)
            if is_distinctive(clues[number].site, words):
                sites[clues[number].site].append(number)
    bonds = []
    for handle, block in blocks.items():
        if len(block) > _MOST_OF_A_HANDLE:
            continue
        is_word = _is_of_many(clues, block)
        for left, right in combinations(block, 2):
            rule = _rule_of(people, clues, left, right, handle)
            if rule is not None and not (is_word and rule in _OF_ALIKE_NAMES):
                bonds.append(bond(rule, "claimed", [left, right], f"both use {handle}"))
        for number in block:
            for other in sites.get(handle, ())[:_MOST_OF_A_HANDLE]:
                if number != other and _is_one_name(clues[number].name, clues[other].name):
                    detail = f"the login of one and the site of the other are {handle}"
                    bonds.append(bond("name_and_site", "claimed", [number, other], detail))
    return bonds


_OF_ALIKE_NAMES = frozenset({"login", "name_is_login", "same_word"})


def _takes_part(identity: Identity) -> bool:
    return identity.kind != "organization" and identity.source in ("git", "github")


def _is_of_many(clues: Sequence[Clues], block: Sequence[int]) -> bool:
    """Whether people of different full names use the handle: then it is an ordinary word."""
    names = {clues[number].name for number in block if clues[number].name.is_full}
    return any(likeness(left, right) is Likeness.CONFLICT for left, right in combinations(names, 2))


def _is_one_name(left: PersonName, right: PersonName) -> bool:
    return left.is_full and right.is_full and likeness(left, right) is Likeness.SAME


def _rule_of(
    people: Sequence[Identity], clues: Sequence[Clues], left: int, right: int, handle: str
) -> str | None:
    one, other = clues[left], clues[right]
    in_logins = (handle in one.logins) + (handle in other.logins)
    if share_an_address(people[left], people[right]):
        return None
    if len(handle) < SHORTEST_HANDLE and not _is_one_name(one.name, other.name):
        return None
    accounts = [number for number in (left, right) if people[number].is_account]
    if any(handle not in clues[number].logins for number in accounts):
        return None
    alike = likeness(one.name, other.name, handle)
    if accounts and not (one.name.words and other.name.words):
        # The account states no name.
        alike = Likeness.COMPATIBLE
    if alike <= Likeness.UNKNOWN:
        return "handle_only" if in_logins == 2 else None
    if in_logins == 0:
        return "same_word"
    if alike is Likeness.SAME and in_logins == 2 and one.name.is_full:
        return _rule_of_one_name(one.name, handle)
    full = [name for name in (one.name, other.name) if name.is_full]
    if not full and not _is_login(handle, people[left].name, people[right].name):
        return "same_word"
    # `jsmith` can be made of many people's names; only an address would say whose it is.
    has_addresses = not any(
        email_addresses.is_placeholder_email(people[number].email) for number in (left, right)
    )
    for name in full:
        if (
            is_common_family(name.last)
            and handle in forms(name)
            and (has_addresses or name.is_common)
        ):
            return "open_form"
    return "login" if in_logins == 2 else "name_is_login"


def _is_login(handle: str, left: str | None, right: str | None) -> bool:
    """Whether a handle is neither a name nor a word: `berger` may be a name, `stonebig34` is none."""
    if any(letter.isdigit() for letter in handle):
        return True
    are_names = all(
        (name or "").istitle() and " " not in (name or "") and plain(name) == handle
        for name in (left, right)
    )
    return len(handle) >= _SHORTEST_LOGIN and not are_names


def _rule_of_one_name(name: PersonName, handle: str) -> str:
    if not name.is_common:
        return "name_and_handle"
    # `johnsmith` of two John Smiths says nothing that their names do not say.
    if has_whole_name(handle, name) or SHARED_FAMILY & set(name.words):
        return "common_name"
    return "common_name_and_handle"


def company_bonds(
    people: Sequence[Identity], clues: Sequence[Clues], left_out: Container[int]
) -> list[Bond]:
    """One login at several hosts of a company: `hpa@build7.acme.dev` and `hpa@mail.acme.dev`."""
    blocks: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number, identity in enumerate(people):
        local = email_addresses.local_part(identity.email)
        domain = clues[number].domain
        if not domain or identity.is_account or number in left_out:
            continue
        if email_addresses.is_telling_local(local):
            blocks[local, domain].append(number)
    bonds = []
    for (local, domain), block in blocks.items():
        hosts = {people[number].address for number in block}
        if len(hosts) < 2 or len(block) > _MOST_OF_A_HANDLE or _is_of_many(clues, block):
            continue
        for left, right in combinations(block, 2):
            one, other = clues[left].name, clues[right].name
            if share_an_address(people[left], people[right]):
                continue
            alike = likeness(one, other, local)
            if local in GIVEN_NAMES and not _is_one_name(one, other):
                continue
            if alike >= Likeness.COMPATIBLE:
                detail = f"both are {local} at {domain}"
                bonds.append(bond("login_at_company", "claimed", [left, right], detail))
    return bonds
