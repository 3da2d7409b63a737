"""What an identity says about who it is: its name, its handles and its domain, read once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lightfast_pipelines.domain import email_addresses
from lightfast_pipelines.domain.people.identities import Identity
from lightfast_pipelines.domain.people.name_lists import (
    COMMON_FAMILY,
    GENERIC_ALONE,
    GENERIC_WORDS,
    GIVEN_NAMES,
)
from lightfast_pipelines.domain.people.names import PersonName, plain, read_name

# Shorter ones are initials and words that many people choose.
SHORTEST_HANDLE = 5
# Together with the same full name, a shorter one is enough.
_SHORTEST_WITH_NAME = 4
# `ann2` is another account of `ann` or another Ann; `vivainio2` is hardly another vivainio.
_SHORTEST_STEM = 7
_NUMBER_AT_END = re.compile(r"\d{1,4}$")


@dataclass(frozen=True, slots=True)
class Clues:
    """`logins` are the login, the noreply login and the local part of the address; `domain` a company's.

    `handles` are these and a name of one word. `site` is the name of a domain whose local part says
    nothing, as in `me@annlee.dev`.
    """

    name: PersonName
    logins: frozenset[str]
    domain: str | None
    site: str = ""

    @property
    def handles(self) -> frozenset[str]:
        return self.logins | {self.name.word} if self.name.word else self.logins


def read_clues(identity: Identity) -> Clues:
    logins = set()
    domain, site = None, ""
    noreply = email_addresses.noreply_account(identity.email)
    if noreply is not None:
        logins.add(plain(noreply[1].partition("@")[0]))
    else:
        domain = email_addresses.company_domain(identity.email)
        local = email_addresses.local_part(identity.email)
        is_telling = email_addresses.is_telling_local(local)
        if is_telling:
            logins.add(plain(local))
        if len(local) < 3 or local in GIVEN_NAMES or not is_telling:
            site = plain((domain or "").partition(".")[0])
    if identity.username:
        logins |= {plain(login) for login in (identity.username, *identity.logins)}
    logins |= {
        stem for login in logins if len(stem := _NUMBER_AT_END.sub("", login)) >= _SHORTEST_STEM
    }
    return Clues(read_name(identity.name), frozenset(logins - {""}), domain, site)


def share_an_address(left: Identity, right: Identity) -> bool:
    """Whether both have one address; then `address_evidence.py` alone says whether they are one person.

    A placeholder such as `root@localhost` is no address: having the same one tells as little as having none.
    """
    return left.address == right.address and not email_addresses.is_placeholder_email(left.email)


def name_words(clues: Sequence[Clues]) -> frozenset[str]:
    """All words of full names: as a login, such a word is no more than a name."""
    words = {word for each in clues if each.name.is_full for word in each.name.words}
    return frozenset(words | GIVEN_NAMES | COMMON_FAMILY)


def is_distinctive(handle: str, words_of_names: frozenset[str]) -> bool:
    """Whether two people would hardly choose this handle by accident, if it has `SHORTEST_HANDLE` letters."""
    return (
        len(handle) >= _SHORTEST_WITH_NAME
        and not handle.isdigit()
        and handle not in words_of_names
        and handle not in GENERIC_WORDS
        and handle not in GENERIC_ALONE
        and email_addresses.is_telling_local(handle)
    )
