"""Decides who is who: joins the identities of an organisation by evidence, whatever their order.

Decisions of people come first, then what providers vouch for, then what commits claim; within these the
strongest evidence first. What must stay apart (`components.py`) is refused, so the weakest evidence of
a conflict gives way. Evidence that is refused or too weak makes doubtful pairs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from lightfast_pipelines.domain import email_addresses
from lightfast_pipelines.domain.people.bonds import ALONE, CERTAIN, Bond, bond
from lightfast_pipelines.domain.people.components import Components
from lightfast_pipelines.domain.people.doubtful import doubtful_pairs
from lightfast_pipelines.domain.people.gathering import gather_evidence
from lightfast_pipelines.domain.people.identities import (
    Actor,
    Decided,
    Decision,
    Evidence,
    Identity,
    Membership,
    actor_id,
)

# A membership lists at most this many pieces of evidence.
_MOST_EVIDENCE = 5


def decide(
    org_id: str, identities: Iterable[Identity], decisions: Iterable[Decision] = ()
) -> Decided:
    """The actors of one organisation, each identity in exactly one, and the pairs that are doubtful.

    The result depends only on the sets of identities and decisions, not on their order. Decisions about
    identities that are not there change nothing. `different` outranks `same`.
    """
    people = sorted(set(identities), key=lambda identity: identity.key)
    same, different = _decided(people, decisions)
    evidence, is_bot = gather_evidence(people)
    bonds = [*same, *evidence]
    components = Components(people, is_bot, different)
    for each in bonds:
        if each.evidence.confidence >= CERTAIN:
            components.join_all(each.members, each.evidence.kind)
    actors = _actors(org_id, people, is_bot, components, bonds)
    return Decided(actors, doubtful_pairs(people, components, bonds))


def _decided(
    people: Sequence[Identity], decisions: Iterable[Decision]
) -> tuple[list[Bond], list[tuple[int, int]]]:
    """What people decided to be the same, and what to be different."""
    numbers = {identity.key: number for number, identity in enumerate(people)}
    verdicts: dict[str, set[tuple[int, int]]] = {"same": set(), "different": set()}
    for decision in decisions:
        left, right = numbers.get(decision.left_key), numbers.get(decision.right_key)
        if left is not None and right is not None and left != right:
            verdicts[decision.verdict].add((min(left, right), max(left, right)))
    same = [
        bond("decision", "decided", list(pair), "a person decided that they are one")
        for pair in sorted(verdicts["same"])
    ]
    return same, sorted(verdicts["different"])


def _actors(
    org_id: str,
    people: Sequence[Identity],
    is_bot: Sequence[bool],
    components: Components,
    bonds: Sequence[Bond],
) -> list[Actor]:
    joined_to, evidence = _reasons(components, bonds, len(people))
    actors = []
    for group in components:
        members = []
        for number in group:
            strongest = evidence[number][0] if evidence[number] else None
            members.append(
                Membership(
                    people[number],
                    strongest.rule if strongest else ALONE,
                    strongest.confidence if strongest else 1.0,
                    people[joined_to[number]].key if number in joined_to else None,
                    tuple(evidence[number]),
                )
            )
        kinds = {people[number].kind for number in group}
        kind = next((k for k in ("organization", "person") if k in kinds), "unknown")
        actors.append(
            Actor(
                actor_id(org_id, people[group[0]].key),
                min(_best_name(people[number]) for number in group)[1],
                "bot" if any(is_bot[number] for number in group) else kind,
                tuple(members),
            )
        )
    return sorted(actors, key=lambda actor: actor.id)


def _reasons(
    components: Components, bonds: Sequence[Bond], count: int
) -> tuple[dict[int, int], list[list[Evidence]]]:
    """For each identity, another one of its component, and the evidence that it shares with others."""
    joined_to: dict[int, int] = {}
    evidence: list[list[Evidence]] = [[] for _ in range(count)]
    for each in bonds:
        if each.evidence.confidence < CERTAIN:
            continue
        groups: dict[int, list[int]] = defaultdict(list)
        for member in each.members:
            groups[components.find(member)].append(member)
        for group in groups.values():
            for member in group if len(group) > 1 else ():
                joined_to.setdefault(member, group[1] if member == group[0] else group[0])
                reasons = evidence[member]
                if each.evidence not in reasons and len(reasons) < _MOST_EVIDENCE:
                    reasons.append(each.evidence)
    return joined_to, evidence


def _best_name(identity: Identity) -> tuple[tuple[int, int, str], str]:
    """(rank, name): names of two words first, then those an account states, then logins."""
    name = (identity.name or "").strip()
    if name and email_addresses.noreply_account(name) is None and "@" not in name:
        words = 0 if " " in name else 1
        return (words, 0 if identity.is_account else 1, name), name
    other = identity.username or name or identity.source_id
    return (2, 0, other), other
