"""Evidence of logins that are made of somebody's full name, such as `alee` or `ann.lee` of Ann Lee.

Such a login means the only person of the organisation of whose name it can be made.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Sequence

from lightfast_pipelines.domain import email_addresses
from lightfast_pipelines.domain.people.bonds import Bond, bond
from lightfast_pipelines.domain.people.clues import Clues, share_an_address
from lightfast_pipelines.domain.people.identities import Identity
from lightfast_pipelines.domain.people.likeness import Likeness, begins_a_form, likeness
from lightfast_pipelines.domain.people.names import (
    PersonName,
    cut_forms,
    forms,
    has_whole_name,
    is_common_family,
)

# A login that can be made of more people's names than this is ignored.
_MOST_PEOPLE = 5


def form_bonds(
    people: Sequence[Identity], clues: Sequence[Clues], left_out: Container[int]
) -> list[Bond]:
    by_form = _by_form(people, clues, left_out)
    bonds = []
    for number, identity in enumerate(people):
        own = clues[number]
        if identity.kind == "organization" or identity.source not in ("git", "github"):
            continue
        if own.name.is_full and not identity.is_account and not own.name.word:
            continue
        for handle in sorted(own.logins if identity.is_account else own.handles):
            named = by_form.get(handle, {})
            if len(named) > _MOST_PEOPLE:
                continue
            for other in named.values():
                if other == number or share_an_address(people[other], identity):
                    continue
                rule = _rule_of(own, clues[other].name, handle, identity)
                if rule is not None:
                    rule = rule if len(named) == 1 else "open_form"
                    detail = f"{handle} is made of the name {people[other].name}"
                    bonds.append(bond(rule, "claimed", [other, number], detail))
    return bonds


def _by_form(
    people: Sequence[Identity], clues: Sequence[Clues], left_out: Container[int]
) -> dict[str, dict[tuple[str, str], int]]:
    """For each login, the people (first and last name) of whose names it can be made, with an identity."""
    by_form: dict[str, dict[tuple[str, str], int]] = defaultdict(dict)
    for number, identity in enumerate(people):
        name = clues[number].name
        if not name.is_full or identity.is_account or number in left_out:
            continue
        if len(name.telling) > 1 and not name.is_common:
            for form in forms(name) | cut_forms(name):
                by_form[form].setdefault((name.first, name.last), number)
    return by_form


def _rule_of(own: Clues, name: PersonName, handle: str, identity: Identity) -> str | None:
    alike = likeness(own.name, name, handle) if own.name.words else Likeness.COMPATIBLE
    if alike is Likeness.CONFLICT and not (
        own.name.word == handle or begins_a_form(own.name.word, name)
    ):
        return None
    if alike is Likeness.UNKNOWN:
        return "open_form"
    if has_whole_name(handle, name):
        return "whole_name_form"
    # `davidb` fits any family name with a B.
    tells_family = name.last in handle or handle.removeprefix(name.first) == _initials(name)
    if is_common_family(name.last) or len(name.last) < 4:
        return "open_form"
    if handle in forms(name):
        return "initial_form" if tells_family else "open_form"
    # Histories that were imported from other systems have placeholders instead of addresses.
    has_address = not email_addresses.is_placeholder_email(identity.email)
    return "open_form" if has_address else "cut_form"


def _initials(name: PersonName) -> str:
    """The initials of all words after the first name, if there are several."""
    rest = name.words[name.words.index(name.first) + 1 :]
    return "".join(word[0] for word in rest) if len(rest) > 2 else ""
