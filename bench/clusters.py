"""Compares clusters of commits with the pull requests that really merged them, by B-cubed.

`python -m bench.clusters [FOLDER]`: per history precision, recall and F1 over all commits and over
those of threads of two or more, for the older and the later half; FOLDER is the corpus (default
../shared/corpus). Commits are fed one by one, without their pull requests.
"""

from __future__ import annotations

import gzip
import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from lightfast_pipelines.clustering.similarity import VectorMeaning
from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.consolidation import Happening, decide, find_threads
from lightfast_pipelines.embedding.stage import view_texts
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder

CORPUS = Path(__file__).parents[2] / "shared" / "corpus"
HISTORIES = {"ipython": "ipython-commits.jsonl.gz", "starlette": "starlette.jsonl.gz"}


def commits(path: Path, gold: dict[str, str]) -> list[tuple[Happening, str]]:
    """(observation, text of its summary view) of each commit of the gold, oldest first."""
    happenings_by_id: dict[str, tuple[Happening, str]] = {}
    with gzip.open(path, "rt") as lines:
        for line in lines:
            delivery = json.loads(line)
            if delivery["event"] != "push":
                continue
            for commit in delivery["payload"]["commits"]:
                if commit["id"] in gold:
                    happenings_by_id[commit["id"]] = _commit(commit)
    return sorted(happenings_by_id.values(), key=lambda item: (item[0].at, item[0].source_id))


def _commit(commit: dict[str, object]) -> tuple[Happening, str]:
    author = commit["author"]
    assert isinstance(author, dict)
    title, _, rest = str(commit["message"]).partition("\n")
    files = [path for kind in ("added", "removed", "modified") for path in commit[kind]]  # type: ignore[attr-defined]
    subject = keys.github_commit(str(commit["id"]))
    happening = Happening(
        source_id=keys.source_id(subject, "pushed"),
        subject_key=subject,
        at=datetime.fromisoformat(str(commit["timestamp"])).timestamp(),
        title=title[:200],
        author=author["name"],
        identity=f"git:{keys.git_identity(author['name'], author['email'])}",
        files=frozenset(map(keys.file, files)),
    )
    return happening, view_texts(title[:200], rest.strip())[2]


def b_cubed(
    clusters: Sequence[object], gold: Sequence[object], chosen: Sequence[bool]
) -> tuple[float, float, float]:
    """(precision, recall, F1) averaged over the chosen items; clusters are of all items."""
    ours, theirs = defaultdict(set), defaultdict(set)
    for item, (cluster, gold_cluster) in enumerate(zip(clusters, gold, strict=True)):
        ours[cluster].add(item)
        theirs[gold_cluster].add(item)
    precision = recall = 0.0
    for item in range(len(gold)):
        if chosen[item]:
            our_items, gold_items = ours[clusters[item]], theirs[gold[item]]
            common = len(our_items & gold_items)
            precision += common / len(our_items)
            recall += common / len(gold_items)
    count = max(1, sum(chosen))
    precision, recall = precision / count, recall / count
    return precision, recall, 2 * precision * recall / max(1e-9, precision + recall)


def main() -> None:
    corpus = Path(sys.argv[1]) if len(sys.argv) > 1 else CORPUS
    print("history    half   commits   which          precision  recall     F1")
    for name, file in HISTORIES.items():
        gold_of = dict(
            line.split("\t")
            for line in (corpus / "gold" / name / "threads.tsv").read_text().splitlines()
        )
        loaded = commits(corpus / file, gold_of)
        happenings = [happening for happening, _ in loaded]
        gold = [gold_of[h.subject_key.rpartition(":")[2]] for h in happenings]
        vectors = WordLlamaEmbedder().embed([text for _, text in loaded]).astype("float16")
        began = time.perf_counter()
        threads = find_threads(happenings, [])
        meaning = VectorMeaning(
            vectors, [h.at for h in happenings], threads.unit_of, len(threads.units)
        )
        decided = decide("bench", name, happenings, threads, meaning)
        seconds = time.perf_counter() - began
        cluster_of: list[str] = [""] * len(happenings)
        for cluster in decided:
            for position in cluster.members:
                cluster_of[position] = cluster.id
        sizes = Counter(gold)
        half = len(gold) // 2
        for label, later in (("older", False), ("later", True)):
            for which, least in (("all", 1), ("threads of 2+", 2)):
                chosen = [
                    (item >= half) is later and sizes[thread] >= least
                    for item, thread in enumerate(gold)
                ]
                numbers = b_cubed(cluster_of, gold, chosen)
                print(
                    f"{name:<10} {label:<6} {sum(chosen):>7}   {which:<14}"
                    + "".join(f"{number:>9.3f}" for number in numbers)
                )
        print(f"{name}: {len(decided)} clusters of {len(gold)} commits in {seconds:.1f} s")


if __name__ == "__main__":
    main()
