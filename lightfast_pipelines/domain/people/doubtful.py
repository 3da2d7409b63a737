"""Lists the pairs of actors that may be one person, for a person to decide."""

from __future__ import annotations

from collections.abc import Sequence

from lightfast_pipelines.domain.people.bonds import Bond
from lightfast_pipelines.domain.people.components import Components
from lightfast_pipelines.domain.people.identities import DoubtfulPair, Evidence, Identity

MOST_DOUBTFUL = 1_000
"""Nobody reviews more: the most certain come first, and the next ones follow once these are decided."""

# Evidence that more actors share makes no pairs: an address of fifty actors is a shared one.
_MOST_OF_A_BOND = 10


def doubtful_pairs(
    people: Sequence[Identity], components: Components, bonds: Sequence[Bond]
) -> list[DoubtfulPair]:
    """One pair for every two actors with evidence that did not join them, the most certain first.

    Actors that a person decided to be different are left out. `bonds` are strongest first, so the pair
    names the identities that share the strongest evidence.
    """
    pairs: dict[tuple[int, int], tuple[tuple[int, int], list[Evidence]]] = {}
    for each in bonds:
        one_of_each = {components.find(member): member for member in reversed(each.members)}
        if len(one_of_each) < 2 or len(one_of_each) > _MOST_OF_A_BOND:
            continue
        hub = components.find(each.members[0])
        for root, member in sorted(one_of_each.items()):
            if root == hub or components.are_apart(root, hub):
                continue
            actors = min(root, hub), max(root, hub)
            identities = min(member, one_of_each[hub]), max(member, one_of_each[hub])
            pairs.setdefault(actors, (identities, []))[1].append(each.evidence)
    doubtful = [
        DoubtfulPair(
            people[left],
            people[right],
            max(each.confidence for each in evidence),
            tuple(dict.fromkeys(evidence)),
        )
        for (left, right), evidence in pairs.values()
    ]
    doubtful.sort(key=lambda pair: (-pair.confidence, pair.left.key, pair.right.key))
    return doubtful[:MOST_DOUBTFUL]
