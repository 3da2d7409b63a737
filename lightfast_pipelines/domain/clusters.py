"""Level two of clusters: groups threads that are one stretch of work, by meaning, files, people and time.

Pure: the same set of observations gives the same clusters in any order. `affinity.py` says how likely
two units belong together, `labels.py` names a cluster.

Groups grow by average linkage: two are joined only while the mean probability over all their pairs is
at least THRESHOLD; a pair that is not a candidate counts as 0. So one accidental similarity does not
join two stories.
"""

from __future__ import annotations

import hashlib
import heapq
from array import array
from base64 import urlsafe_b64encode
from collections import defaultdict
from collections.abc import Iterable, Sequence

from lightfast_pipelines.domain.affinity import Meaning, Unit, likely_pairs
from lightfast_pipelines.domain.grouping import Groups

RULE_VERSION = 3

THRESHOLD = 0.2
# Pairs below this count as 0: there are a hundred times as many, and they never lift a mean above 0.2.
_FLOOR = 0.05

# (-mean, smaller group, larger group, their sizes then, the group that looked for a partner)
_Candidate = tuple[float, int, int, int, int, int]


def join(units: Sequence[Unit], meaning: Meaning) -> list[list[int]]:
    """Groups of positions in `units`, each sorted, in the order of their smallest unit key."""
    first, second, odds = array("i"), array("i"), array("d")
    components = Groups(len(units))
    for a, b, probability in likely_pairs(units, meaning, _FLOOR):
        first.append(a)
        second.append(b)
        odds.append(probability)
        # A merge needs at least one pair at the threshold, so no group crosses these components.
        if probability >= THRESHOLD:
            components.join(a, b)
    inside: dict[int, array[int]] = defaultdict(lambda: array("i"))
    for pair in range(len(first)):
        component = components.find(first[pair])
        if component == components.find(second[pair]):
            inside[component].append(pair)
    groups: list[list[int]] = []
    for members in components:
        pairs = inside.pop(members[0], ())
        groups += _link(units, members, ((first[p], second[p], odds[p]) for p in pairs))
    return sorted(groups, key=lambda group: min(units[unit].key for unit in group))


def _link(
    units: Sequence[Unit], members: Sequence[int], pairs: Iterable[tuple[int, int, float]]
) -> list[list[int]]:
    """Average linkage over sparse pairs; ties go to the smaller keys, so order does not matter.

    The heap holds one candidate for each group, its best partner, and not all of its pairs (1.7 million
    for 40,000 commits). That finds the best of all pairs: the mean of two groups changes only when one
    of them grows, and that one then looks for its best partner.
    """
    order = sorted(members, key=lambda unit: units[unit].key)
    place = {unit: rank for rank, unit in enumerate(order)}
    sums: list[dict[int, float]] = [{} for _ in order]
    for a, b, odds in pairs:
        x, y = place[a], place[b]
        sums[x][y] = sums[y][x] = odds
    groups: list[list[int]] = [[unit] for unit in order]
    heap: list[_Candidate] = []

    def find_best_partner(x: int) -> None:
        size = len(groups[x])
        best, partner = THRESHOLD, -1
        for other, total in sums[x].items():
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
        groups[x] += groups[y]
        groups[y] = []
        del sums[x][y]
        for other, total in sums[y].items():
            if other == x:
                continue
            del sums[other][y]
            sums[x][other] = sums[other][x] = sums[x].get(other, 0.0) + total
        sums[y] = {}
        find_best_partner(x)
    return [sorted(group) for group in groups if group]


def cluster_id(org_id: str, workspace_slug: str, earliest: str) -> str:
    """21 URL-safe characters, the same in any database, from what a cluster's earliest member is about.

    What happens later does not change it; what turns out to have happened earlier does.
    """
    text = "\x1f".join(("cluster", org_id, workspace_slug, earliest))
    digest = hashlib.sha256(text.encode("utf-8", "replace")).digest()
    return urlsafe_b64encode(digest)[:21].decode()
