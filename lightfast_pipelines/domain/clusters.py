"""Level two of clusters: groups threads that are one stretch of work, by meaning, files, people and time.

Pure: the same set of observations gives the same clusters in any order. `affinity.py` says how likely
two units belong together, `labels.py` names a cluster.

Average linkage first makes a tree: the two groups with the highest mean probability over all their pairs
are joined, and a pair that is not a candidate counts as 0. So one accidental similarity does not join two
stories. Then the tree is cut where the expected quality of the clusters is best: a joined group stays
joined if it is worth more than the best division of its two parts.
"""

from __future__ import annotations

import hashlib
import heapq
from array import array
from base64 import urlsafe_b64encode
from collections import defaultdict
from collections.abc import Iterable, Sequence

from lightfast_pipelines.domain.affinity import Meaning, likely_pairs
from lightfast_pipelines.domain.grouping import Groups
from lightfast_pipelines.domain.pair_evidence import Unit

RULE_VERSION = 3

# The tree joins nothing below this mean; no cut has kept such a group.
_LEAST_MEAN = 0.1
# Pairs below this count as 0: there are many, and they never lift a mean that far.
_FLOOR = 0.03
# How much finding a unit's companions counts against keeping strangers out.
RECALL = 1.1

# (-mean, smaller group, larger group, their sizes then, the group that looked for a partner)
_Candidate = tuple[float, int, int, int, int, int]


def join(units: Sequence[Unit], meaning: Meaning) -> list[list[int]]:
    """Groups of positions in `units`, each sorted, in the order of their smallest unit key."""
    return group(units, likely_pairs(units, meaning))


def group(
    units: Sequence[Unit], pairs: Iterable[tuple[int, int, float]], recall: float = RECALL
) -> list[list[int]]:
    """Groups units by the probabilities of their pairs."""
    first, second, odds = array("i"), array("i"), array("d")
    components = Groups(len(units))
    # How many units each is expected to belong with, itself included.
    companions = [1.0] * len(units)
    for a, b, probability in pairs:
        if probability < _FLOOR:
            continue
        first.append(a)
        second.append(b)
        odds.append(probability)
        companions[a] += probability
        companions[b] += probability
        # A join needs at least one pair at the least mean, so no group crosses these components.
        if probability >= _LEAST_MEAN:
            components.join(a, b)
    inside: dict[int, array[int]] = defaultdict(lambda: array("i"))
    for pair in range(len(first)):
        component = components.find(first[pair])
        if component == components.find(second[pair]):
            inside[component].append(pair)
    groups: list[list[int]] = []
    for members in components:
        own = ((first[p], second[p], odds[p]) for p in inside.pop(members[0], ()))
        order = sorted(members, key=lambda unit: units[unit].key)
        tree = _Tree([companions[unit] for unit in order], recall)
        groups += _link(order, tree, own)
    return sorted(groups, key=lambda members: min(units[unit].key for unit in members))


class _Tree:
    """Groups that grow, and of each the best division into clusters so far.

    A cluster is worth the expected share of each member's companions among its members, plus RECALL
    times the expected share of the member's companions that it contains (B-cubed precision and recall).
    """

    def __init__(self, companions: Sequence[float], recall: float) -> None:
        self._recall = recall
        self.groups: list[list[int]] = [[unit] for unit in range(len(companions))]
        self._companions = companions
        self._pairs = [1.0] * len(companions)
        self._found = [1 / expected for expected in companions]
        self._worth = [1 + recall * found for found in self._found]
        self._clusters: list[list[list[int]]] = [[group] for group in self.groups]

    def share(self, x: int, y: int, probability: float) -> float:
        """What a pair of units adds to the companions found, if the two are in one cluster."""
        return probability * (1 / self._companions[x] + 1 / self._companions[y])

    def join(self, x: int, y: int, probabilities: float, shares: float) -> None:
        """Puts group y into x; the numbers are the sums over all pairs between the two."""
        self.groups[x] = self.groups[x] + self.groups[y]
        self.groups[y] = []
        self._pairs[x] += self._pairs[y] + 2 * probabilities
        self._found[x] += self._found[y] + shares
        whole = self._pairs[x] / len(self.groups[x]) + self._recall * self._found[x]
        divided = self._worth[x] + self._worth[y]
        if whole > divided:
            self._clusters[x], self._worth[x] = [self.groups[x]], whole
        else:
            self._clusters[x] += self._clusters[y]
            self._worth[x] = divided
        self._clusters[y] = []

    def clusters(self) -> Iterable[list[int]]:
        for clusters in self._clusters:
            yield from clusters


def _link(
    order: Sequence[int], tree: _Tree, pairs: Iterable[tuple[int, int, float]]
) -> list[list[int]]:
    """Average linkage over sparse pairs; ties go to the smaller keys, so order does not matter.

    `order` are units by their keys; the groups of the tree are positions in it.

    The heap holds one candidate for each group, its best partner, and not all of its pairs (1.7 million
    for 40,000 commits). That finds the best of all pairs: the mean of two groups changes only when one
    of them grows, and that one then looks for its best partner.
    """
    place = {unit: rank for rank, unit in enumerate(order)}
    groups = tree.groups
    # (sum of probabilities, sum of shares) over the pairs between two groups.
    sums: list[dict[int, tuple[float, float]]] = [{} for _ in order]
    for a, b, odds in pairs:
        x, y = place[a], place[b]
        sums[x][y] = sums[y][x] = (odds, tree.share(x, y, odds))
    heap: list[_Candidate] = []

    def find_best_partner(x: int) -> None:
        size = len(groups[x])
        best, partner = _LEAST_MEAN, -1
        for other, (total, _) in sums[x].items():
            mean = total / (size * len(groups[other]))
            if mean > best or (mean == best and (other < partner or partner < 0)):
                best, partner = mean, other
        if partner >= 0:
            low, high = (x, partner) if x < partner else (partner, x)
            heapq.heappush(heap, (-best, low, high, len(groups[low]), len(groups[high]), x))

    for x in range(len(order)):
        find_best_partner(x)
    while heap:
        _, x, y, size_x, size_y, seeker = heapq.heappop(heap)
        if len(groups[seeker]) != (size_x if seeker == x else size_y):
            # It has grown since, and has a later candidate, or it is part of another group.
            continue
        if len(groups[x]) != size_x or len(groups[y]) != size_y:
            find_best_partner(seeker)
            continue
        tree.join(x, y, *sums[x].pop(y))
        for other, (total, shares) in sums[y].items():
            if other == x:
                continue
            del sums[other][y]
            old_total, old_shares = sums[x].get(other, (0.0, 0.0))
            sums[x][other] = sums[other][x] = (old_total + total, old_shares + shares)
        sums[y] = {}
        find_best_partner(x)
    return [sorted(order[rank] for rank in cluster) for cluster in tree.clusters()]


def cluster_id(org_id: str, workspace_slug: str, earliest: str) -> str:
    """21 URL-safe characters, the same in any database, from what a cluster's earliest member is about.

    What happens later does not change it; what turns out to have happened earlier does.
    """
    text = "\x1f".join(("cluster", org_id, workspace_slug, earliest))
    digest = hashlib.sha256(text.encode("utf-8", "replace")).digest()
    return urlsafe_b64encode(digest)[:21].decode()
