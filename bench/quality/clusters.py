"""Compares clusters of commits with the pull requests that really merged them, beside simple baselines.

`python -m bench.quality.clusters [FOLDER]` prints it; FOLDER is the corpus (default ../shared/corpus).
All commits of a history are clustered together, one by one and without their pull requests. B-cubed
then looks at the commits of one half alone: all of them, and those of threads of several commits. The
rule was learnt on the earlier half of ipython and on starlette; ipython's later half shows what it is worth.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from bench.corpus import CORPUS
from bench.quality.b_cubed import BCubed
from bench.quality.cluster_baselines import BASELINES
from bench.quality.cluster_gold import LEARNT_FROM, Division, GoldHistory, histories
from bench.quality.figures import Figure, lines
from bench.quality.intervals import interval
from lightfast_pipelines.domain.clusters import join

_REACH = {"all commits": 0.82, "threads of several": 0.80}
_FLOOR = {"all commits": 0.79, "threads of several": 0.77}
# A half with fewer commits of such threads says nothing.
FEWEST_COMMITS = 30


def by_rule(history: GoldHistory) -> Division:
    threads = history.threads()
    return history.division(join(threads.units, history.meaning(threads)))


def parts(history: GoldHistory) -> dict[tuple[str, str], list[int]]:
    """(half, which commits) -> their places."""
    size = Counter(history.gold)
    half = len(history.gold) // 2
    halves = {"earlier half": range(half), "later half": range(half, len(history.gold))}
    return {
        (name, which): [place for place in places if size[history.gold[place]] >= least]
        for name, places in halves.items()
        for which, least in (("all commits", 1), ("threads of several", 2))
    }


def agreement(history: GoldHistory, division: Division, places: Sequence[int]) -> BCubed:
    return BCubed([division[place] for place in places], [history.gold[place] for place in places])


def measure(corpus: Path) -> Sequence[Figure]:
    figures: list[Figure] = []
    for history in histories(corpus).values():
        ours = by_rule(history)
        theirs = {name: baseline(history) for name, baseline in BASELINES.items()}
        for (half, which), places in parts(history).items():
            if len(places) < FEWEST_COMMITS:
                continue
            is_reported = (history.name, half) == ("ipython", "later half")
            own = agreement(history, ours, places)
            note = f"{len(places)} commits; precision {own.precision(own.all_once()):.3f}"
            note += f", recall {own.recall(own.all_once()):.3f}"
            is_learnt = history.name in LEARNT_FROM and not is_reported
            note += "; learnt from these" if is_learnt else ""
            for name, division in theirs.items():
                other = agreement(history, division, places)
                figures.append(
                    Figure(
                        "clusters",
                        f"{history.name}, {half}",
                        f"B-cubed F1, {which}",
                        interval(own.units, own.f1),
                        name,
                        interval(other.units, other.f1),
                        _FLOOR[which] if is_reported else None,
                        _REACH[which] if is_reported else None,
                        note,
                    )
                )
    return figures


def main() -> None:
    corpus = Path(sys.argv[1]) if len(sys.argv) > 1 else CORPUS
    print("\n".join(lines(measure(corpus))))


if __name__ == "__main__":
    main()
