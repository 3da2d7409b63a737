"""Compares who is who according to the rule with the mailmaps of histories, beside simple baselines.

`python -m bench.quality.people [FOLDER]` prints it; FOLDER is the corpus (default ../shared/corpus). Only
people with more than one alias are covered by a mailmap, so pairs are counted among their aliases. A
pair of all aliases that the mailmap does not join may still be right; `judged merges` are those that
somebody has read.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.corpus import CORPUS
from bench.quality.figures import Figure, lines
from bench.quality.intervals import interval, share_of
from bench.quality.people_gold import (
    Alias,
    Gold,
    commit_identity,
    covered,
    judged_merges,
    never_merged,
    pair_hash,
)
from bench.quality.people_rules import rule_figures
from lightfast_pipelines.domain.grouping import Groups
from lightfast_pipelines.domain.people.decide import decide

Grouping = Callable[[Iterable[Alias]], Mapping[Alias, Hashable]]
"""Says which aliases are one person."""


def mailmaps(corpus: Path) -> dict[str, dict[Alias, Hashable]]:
    """The gold of each history in the corpus, by its name; `all of NAME` has every alias there was."""
    golds: dict[str, dict[Alias, Hashable]] = {}
    for path in sorted(corpus.glob("people/*.tsv")):
        rows = [line.split("\t") for line in path.read_text().splitlines()]
        golds[path.stem] = {(row[0], row[1]): (row[2], row[3].lower()) for row in rows}
    for path in sorted(corpus.glob("gold/*/people.tsv")):
        if path.parent.name not in golds:
            rows = [line.split("\t") for line in path.read_text().splitlines()]
            golds[path.parent.name] = {(row[0], row[1]): row[2].lower() for row in rows}
    return golds


def by_rule(aliases: Iterable[Alias]) -> dict[Alias, Hashable]:
    identities = {alias: commit_identity(*alias) for alias in aliases}
    actor_of = {
        member.identity.key: actor.id
        for actor in decide("bench", identities.values()).actors
        for member in actor.members
    }
    return {alias: actor_of[identity.key] for alias, identity in identities.items()}


def by_address(aliases: Iterable[Alias]) -> dict[Alias, Hashable]:
    return {alias: alias[1].strip().lower() or alias for alias in aliases}


def by_name_or_address(aliases: Iterable[Alias]) -> dict[Alias, Hashable]:
    """Everything that exactly equal names or addresses chain together, but for blank ones."""
    numbers = {alias: number for number, alias in enumerate(sorted(aliases))}
    groups = Groups(len(numbers))
    first: dict[str, int] = {}
    for (name, address), number in numbers.items():
        for key in (f"name {name.casefold()}", f"address {address.casefold()}"):
            if key in ("name ", "address "):
                continue
            groups.join(first.setdefault(key, number), number)
    return {alias: groups.find(number) for alias, number in numbers.items()}


BASELINES: dict[str, Grouping] = {
    "same address": by_address,
    "exact name or address": by_name_or_address,
}


@dataclass(frozen=True, slots=True)
class PairCounts:
    """Pairs of aliases by the persons that they belong to, who are numbered.

    `wanted` and `right` count each person's own pairs; a false pair has the numbers of two persons.
    """

    wanted: NDArray[np.int64]
    right: NDArray[np.int64]
    false: NDArray[np.int64]

    def precision(self, drawn: NDArray[np.int64]) -> float:
        """With each person counted as often as it was drawn."""
        right, false = self._counts(drawn)
        return right / (right + false) if right + false else 1.0

    def recall(self, drawn: NDArray[np.int64]) -> float:
        wanted = float((self.wanted * drawn).sum())
        return self._counts(drawn)[0] / wanted if wanted else 1.0

    def f1(self, drawn: NDArray[np.int64]) -> float:
        precision, recall = self.precision(drawn), self.recall(drawn)
        return 2 * precision * recall / (precision + recall) if precision + recall else 0.0

    def _counts(self, drawn: NDArray[np.int64]) -> tuple[float, float]:
        false = (drawn[self.false[:, 0]] * drawn[self.false[:, 1]]).sum()
        return float((self.right * drawn).sum()), float(false)


def count_pairs(golds: Sequence[Gold], grouping: Grouping) -> PairCounts:
    """Pairs of covered aliases of several histories together.

    People of different histories are never compared. The grouping sees all aliases of a history.
    """
    numbers: dict[Hashable, int] = {}
    wanted: dict[int, int] = defaultdict(int)
    right: dict[int, int] = defaultdict(int)
    false: list[tuple[int, int]] = []
    for history, gold in enumerate(golds):
        groups = grouping(gold)
        persons: dict[Hashable, list[Alias]] = defaultdict(list)
        together: dict[Hashable, list[int]] = defaultdict(list)
        for alias in covered(gold):
            person = numbers.setdefault((history, gold[alias]), len(numbers))
            persons[person].append(alias)
            together[groups[alias]].append(person)
        for aliases in persons.values():
            person = numbers[history, gold[aliases[0]]]
            wanted[person] += len(aliases) * (len(aliases) - 1) // 2
        for members in together.values():
            for a, b in combinations(members, 2):
                if a == b:
                    right[a] += 1
                else:
                    false.append((a, b))
    people = range(len(numbers))
    return PairCounts(
        np.array([wanted[person] for person in people], np.int64),
        np.array([right[person] for person in people], np.int64),
        np.array(false, np.int64).reshape(-1, 2),
    )


def figures_of(
    data: str,
    golds: Sequence[Gold],
    *,
    reach: Mapping[str, float] | None = None,
    floor: Mapping[str, float] | None = None,
) -> list[Figure]:
    """Precision, recall and F1 over pairs of covered people, beside each baseline."""
    ours = count_pairs(golds, by_rule)
    people = len(ours.wanted)
    figures = []
    for baseline, grouping in BASELINES.items():
        theirs = count_pairs(golds, grouping)
        for name in ("precision", "recall", "f1"):
            figures.append(
                Figure(
                    "people",
                    data,
                    name,
                    interval(people, getattr(ours, name)),
                    baseline,
                    interval(people, getattr(theirs, name)),
                    (floor or {}).get(name),
                    (reach or {}).get(name),
                    f"{people} people, {int(ours.wanted.sum())} pairs",
                )
            )
    return figures


def halves(corpus: Path) -> dict[str, dict[Alias, Hashable]]:
    """The aliases that first committed in the earlier and in the later half of each history."""
    parts: dict[str, dict[Alias, Hashable]] = {}
    for path in sorted(corpus.glob("people/*.tsv")):
        rows = [line.split("\t") for line in path.read_text().splitlines()]
        rows.sort(key=lambda row: (row[4], row[0], row[1]))
        for part, some in (("earlier", rows[: len(rows) // 2]), ("later", rows[len(rows) // 2 :])):
            golds = {(row[0], row[1]): (row[2], row[3].lower()) for row in some}
            parts[f"{path.stem}, {part} half"] = dict(golds)
    return parts


def merges_outside(golds: Iterable[Gold]) -> list[str]:
    """The hashes of the pairs that the rule joins and the mailmap does not."""
    hashes = set()
    for gold in golds:
        together: dict[Hashable, list[Alias]] = defaultdict(list)
        for alias, actor in by_rule(gold).items():
            together[actor].append(alias)
        for aliases in together.values():
            for left, right in combinations(aliases, 2):
                if gold[left] != gold[right]:
                    hashes.add(pair_hash(commit_identity(*left), commit_identity(*right)))
    return sorted(hashes)


def judged_figure(golds: Iterable[Gold]) -> Figure:
    """Of the merges outside the mailmaps that somebody has judged, how many are not wrong."""
    merges = merges_outside(golds)
    judged = judged_merges()
    verdicts = [judged[pair][0] for pair in merges if pair in judged]
    counts = {verdict: verdicts.count(verdict) for verdict in ("right", "unclear", "wrong")}
    not_wrong = np.array([verdict != "wrong" for verdict in verdicts], np.bool_)
    note = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    return Figure(
        "people",
        "outside the mailmaps",
        "judged merges that are not wrong",
        interval(len(verdicts), share_of(not_wrong)),
        floor=0.99,
        reach=0.99,
        note=f"{note}; {len(verdicts)} of {len(merges)} merges are judged",
    )


def never_merged_figure() -> Figure:
    """Of the pairs that must never be one person, how many stay apart."""
    pairs = never_merged()
    apart = np.array(
        [len(decide("bench", [left, right]).actors) == 2 for left, right, _ in pairs], np.bool_
    )
    return Figure(
        "people",
        "hand-written",
        "never-merge pairs kept apart",
        interval(len(pairs), share_of(apart)),
        floor=1.0,
        reach=1.0,
        note=f"{int((~apart).sum())} of {len(pairs)} pairs are merged",
    )


def measure(corpus: Path) -> Sequence[Figure]:
    golds = mailmaps(corpus)
    figures = [figure for name, gold in golds.items() for figure in figures_of(name, [gold])]
    pooled = [golds[name] for name in ("ipython", "git") if name in golds]
    if len(pooled) > 1:
        reach = {"precision": 0.99, "f1": 0.955}
        floor = {"precision": 0.985, "f1": 0.95}
        figures += figures_of("ipython + git", pooled, reach=reach, floor=floor)
    for name, gold in halves(corpus).items():
        figures += figures_of(name, [gold])
    if golds:
        figures += rule_figures("all mailmaps", list(golds.values()))
        figures.append(judged_figure(golds.values()))
    return [*figures, never_merged_figure()]


def main() -> None:
    corpus = Path(sys.argv[1]) if len(sys.argv) > 1 else CORPUS
    print("\n".join(lines(measure(corpus))))


if __name__ == "__main__":
    main()
