"""Gathers all evidence about the identities of an organisation, in the order in which it counts."""

from __future__ import annotations

from collections.abc import Sequence

from lightfast_pipelines.domain.people.account_evidence import bots, verified_bonds
from lightfast_pipelines.domain.people.account_logins import account_login_bonds
from lightfast_pipelines.domain.people.address_evidence import address_bonds, machine_bonds
from lightfast_pipelines.domain.people.bonds import Bond
from lightfast_pipelines.domain.people.clues import read_clues
from lightfast_pipelines.domain.people.components import Components
from lightfast_pipelines.domain.people.form_evidence import form_bonds
from lightfast_pipelines.domain.people.handle_evidence import company_bonds, handle_bonds
from lightfast_pipelines.domain.people.identities import Identity
from lightfast_pipelines.domain.people.name_evidence import name_bonds
from lightfast_pipelines.domain.people.similar_names import similar_bonds

_RULES = (
    machine_bonds,
    name_bonds,
    handle_bonds,
    company_bonds,
    form_bonds,
    similar_bonds,
    account_login_bonds,
)


def gather_evidence(people: Sequence[Identity]) -> tuple[list[Bond], list[bool]]:
    """What providers vouch for, then what commits claim, each the strongest first; and who is a bot.

    `people` are sorted by their keys.
    """
    verified = verified_bonds(people)
    is_bot = bots(people, verified)
    # Claims are compared with what providers vouch for, and never with other claims.
    vouched = Components(people, is_bot)
    for each in verified:
        vouched.join_all(each.members, "verified")
    clues = [read_clues(identity) for identity in people]
    addresses, borrowed = address_bonds(people, clues, is_bot, vouched)
    claimed = list(addresses)
    for rule in _RULES:
        claimed += rule(people, clues, borrowed)
    return [*sorted(verified, key=_order), *sorted(claimed, key=_order)], is_bot


def _order(each: Bond) -> tuple[float, tuple[int, ...], str]:
    return -each.evidence.confidence, each.members, each.evidence.rule
