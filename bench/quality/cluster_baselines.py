"""What clusters are compared with: divisions of commits that a few lines could make.

`by_former_rule` is the rule with a model of four features and a fixed threshold (logistic regression,
average linkage), which the rule in use replaced.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator

from bench.quality.cluster_gold import Division, GoldHistory
from lightfast_pipelines.domain.affinity import candidates
from lightfast_pipelines.domain.grouping import Groups
from lightfast_pipelines.domain.pair_evidence import OwnWork, Unit, seconds_apart

_DAY = 86_400


def singletons(history: GoldHistory) -> Division:
    return list(range(len(history.gold)))


def by_author_and_day(history: GoldHistory) -> Division:
    """Commits of one author, each within a day of the one before."""
    groups = Groups(len(history.gold))
    last: dict[str | None, int] = {}
    for place, happening in enumerate(history.happenings):
        before = last.get(happening.author)
        if before is not None and happening.at - history.happenings[before].at <= _DAY:
            groups.join(before, place)
        last[happening.author] = place
    return [groups.find(place) for place in range(len(history.gold))]


def by_sum_of_likeness(history: GoldHistory) -> Division:
    """Text + files + author + time: a weighted sum of four likenesses, average linkage.

    The weights and the threshold are the best of a coarse grid on the earlier half of ipython.
    """

    def likeness(first: Unit, second: Unit, cosine: float) -> float:
        union = len(first.files | second.files)
        files = len(first.files & second.files) / union if union else 0.0
        hours = seconds_apart(first.times, second.times) / 3_600
        is_one_author = not first.authors.isdisjoint(second.authors)
        return 0.1 * cosine + 0.3 * files + 0.2 * is_one_author + 0.4 / (1 + hours / 3)

    return _average_linkage(history, likeness, 0.35)


def by_former_rule(history: GoldHistory) -> Division:
    units = history.threads().units
    counts = Counter(file for unit in units for file in unit.files)
    rarity = {file: 1 / math.log2(1 + count) for file, count in counts.items()}

    def probability(first: Unit, second: Unit, cosine: float) -> float:
        score = 0.07 + 1.42 * cosine
        score -= 0.54 * math.log1p(seconds_apart(first.times, second.times) / 60)
        score += 0.69 * (not first.authors.isdisjoint(second.authors))
        shared = first.files & second.files
        if shared:
            common, union = (
                math.fsum(map(rarity.__getitem__, files))
                for files in (shared, first.files | second.files)
            )
            score += 1.9 * common / union + 4.1 * max(map(rarity.__getitem__, shared))
        return 1 / (1 + math.exp(-score))

    return _average_linkage(history, probability, 0.2)


BASELINES: dict[str, Callable[[GoldHistory], Division]] = {
    "singletons": singletons,
    "author + one day": by_author_and_day,
    "text + files + author + time": by_sum_of_likeness,
    "the former rule": by_former_rule,
}


def _average_linkage(
    history: GoldHistory, score: Callable[[Unit, Unit, float], float], threshold: float
) -> Division:
    """Joins the two groups with the highest mean score while that is at least `threshold`."""
    sums: dict[int, dict[int, float]] = defaultdict(dict)
    for a, b, value in _scored(history, score):
        sums[a][b] = sums[b][a] = value
    members = {unit: [unit] for unit in range(len(history.gold))}
    means = {(a, b): value for a in sums for b, value in sums[a].items() if a < b}
    best = {pair: value for pair, value in means.items() if value >= threshold}
    while best:
        a, b = max(best, key=lambda pair: (best[pair], pair))
        members[a] += members.pop(b)
        for other, total in sums.pop(b).items():
            del sums[other][b]
            best.pop((min(b, other), max(b, other)), None)
            if other != a:
                sums[a][other] = sums[other][a] = sums[a].get(other, 0.0) + total
        for other, total in sums[a].items():
            pair = (min(a, other), max(a, other))
            mean = total / (len(members[a]) * len(members[other]))
            if mean >= threshold:
                best[pair] = mean
            else:
                best.pop(pair, None)
    return history.division(members.values())


def _scored(
    history: GoldHistory, score: Callable[[Unit, Unit, float], float]
) -> Iterator[tuple[int, int, float]]:
    threads = history.threads()
    units = threads.units
    for a, b, cosine in candidates(units, OwnWork(units).order, history.meaning(threads)):
        yield a, b, score(units[a], units[b], cosine)
