"""After how many days without an event a pull request is idle: `python -m bench.quality.idle_gaps [FOLDER]`.

FOLDER is the corpus (default ../shared/corpus). A gap lies between two successive events of one pull
request of ipython: it is opened, its commits are written, it is closed or merged. The number of days was
chosen on the earlier half of them; both halves are printed, with 95 % bootstrap intervals over pull
requests: which share of all gaps is longer, and which share of pull requests would be closed too early.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np

from bench.corpus import CORPUS, deliveries, gold_of
from bench.quality.intervals import interval, ratio, share_of
from lightfast_pipelines.domain.cluster_status import IDLE_SECONDS

DAYS = (7, 14, 21, 30, 45, 60, 90)
ROW = "{:<8} {:>5} {:>7} {:>26} {:>26}"


def pull_requests(corpus: Path) -> list[list[float]]:
    """The times of each one's events, sorted; those of a single moment are left out."""
    number_of = gold_of(corpus / "gold" / "ipython" / "threads.tsv")
    times: dict[str, set[float]] = defaultdict(set)
    for delivery in deliveries(corpus / "ipython.jsonl.gz"):
        payload = delivery["payload"]
        if delivery["event"] == "pull_request":
            for field in ("created_at", "closed_at"):
                if moment := payload["pull_request"].get(field):
                    times[str(payload["number"])].add(_seconds(moment))
        for commit in payload.get("commits", ()):
            if commit["id"] in number_of:
                times[number_of[commit["id"]]].add(_seconds(commit["timestamp"]))
    return sorted(sorted(events) for events in times.values() if len(events) > 1)


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def main() -> None:
    requests = pull_requests(Path(sys.argv[1]) if len(sys.argv) > 1 else CORPUS)
    half = len(requests) // 2
    print(f"in use: {IDLE_SECONDS / 86_400:.0f} days")
    print(ROW.format("half", "days", "gaps", "gaps that are longer", "requests with such a gap"))
    for name, part in (("earlier", requests[:half]), ("later", requests[half:])):
        for days in DAYS:
            _show(name, days, part)


def _show(half: str, days: int, requests: Sequence[Sequence[float]]) -> None:
    gaps = [np.diff(events) / 86_400 for events in requests]
    count = np.array([len(own) for own in gaps])
    longer = np.array([int((own > days).sum()) for own in gaps])
    share = interval(len(gaps), ratio(longer, count))
    affected = interval(len(gaps), share_of(longer > 0))
    print(ROW.format(half, days, int(count.sum()), str(share), str(affected)))


if __name__ == "__main__":
    main()
