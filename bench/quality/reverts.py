"""What a history alone says about links: which commit a revert takes back, by the patches themselves.

A commit whose message speaks of a revert, and whose patch is the exact opposite of an earlier one, takes
that one back (`gold/N/reverts.tsv`). Compared with it are the `reverts` edges that the rules read from
the messages. The simple rule is to look for `This reverts commit`. A revert in which conflicts were
resolved is the opposite of nothing, and does not count.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from bench.corpus import deliveries, gold_of
from bench.quality.figures import Figure
from bench.quality.intervals import Statistic, interval, ratio
from lightfast_pipelines.domain.enrichment import enrich
from lightfast_pipelines.domain.events import Understood
from lightfast_pipelines.providers import discover

_SPEAKS_OF_IT = re.compile(r"\brevert|\bback(?:s|ed)? out\b|\broll(?:s|ed)? back\b", re.IGNORECASE)
_SHA = re.compile(r"[0-9a-f]{7,40}")
SAYS_SO = re.compile(r"This reverts commit ([0-9a-f]{7,40})")


def speaks_of_a_revert(message: str) -> bool:
    return _SPEAKS_OF_IT.search(message) is not None


def taken_back(
    repository: Path, shas: Sequence[str], reverting: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """(commit, the latest earlier commit whose patch it undoes); `shas` are in order of time."""
    if not reverting:
        return
    place = {sha: number for number, sha in enumerate(shas)}
    done: dict[str, list[str]] = {}
    for sha, patch in _patches(repository, shas):
        done.setdefault(patch, []).append(sha)
    for sha, patch in _patches(repository, reverting, "-R"):
        earlier = [other for other in done.get(patch, ()) if place[other] < place[sha]]
        if earlier:
            yield sha, max(earlier, key=place.__getitem__)


def _patches(repository: Path, shas: Sequence[str], *options: str) -> Iterator[tuple[str, str]]:
    """(commit, id of its patch), without commits that change no text."""
    git = ["git", "-C", str(repository)]
    diffs = subprocess.run(
        [*git, "diff-tree", "--stdin", "--root", "-p", "--no-prefix", "--no-ext-diff", *options],
        input="\n".join(shas).encode(),
        capture_output=True,
        check=True,
    ).stdout
    ids = subprocess.run(
        [*git, "patch-id", "--stable"], input=diffs, capture_output=True, check=True
    ).stdout.decode()
    for line in ids.splitlines():
        patch, sha = line.split()
        yield sha, patch


def measure(corpus: Path) -> list[Figure]:
    """Of each history with such commits; none in a corpus without."""
    figures: list[Figure] = []
    for path in sorted(corpus.glob("gold/*/reverts.tsv")):
        name = path.parent.name
        gold = gold_of(path)
        messages: dict[str, str] = {}
        ours: dict[str, set[str]] = {}
        for delivery in deliveries(corpus / f"{name}.jsonl.gz"):
            payload = delivery["payload"]
            if payload["after"] in gold:
                messages[payload["after"]] = payload["head_commit"]["message"]
                ours[payload["after"]] = _edges(payload)
        theirs = {sha: set(SAYS_SO.findall(message)) for sha, message in messages.items()}
        figures += _figures(name, gold, ours, theirs)
    return figures


def _edges(payload: Mapping[str, object]) -> set[str]:
    """The commits, full or abbreviated, that the pushed commit reverts by the rules."""
    reading = discover()["github"].read("push", payload)
    assert isinstance(reading, Understood)
    named = {
        edge.object.key.rpartition(":")[2].rpartition("@")[2]
        for statement in reading.statements
        for edge in enrich(statement).edges
        if edge.type == "reverts"
    }
    # A pull request may be named as well.
    return {name for name in named if _SHA.fullmatch(name)}


def _figures(
    name: str,
    gold: Mapping[str, str],
    ours: Mapping[str, set[str]],
    theirs: Mapping[str, set[str]],
) -> Iterator[Figure]:
    for figure in ("precision", "recall"):
        measured = [interval(len(gold), _share(gold, said, figure)) for said in (ours, theirs)]
        yield Figure(
            *("links", name, f"reverts, {figure}", measured[0], "This reverts commit", measured[1]),
            note=f"{len(gold)} commits that undo an earlier one and speak of it",
        )


def _share(gold: Mapping[str, str], said: Mapping[str, set[str]], figure: str) -> Statistic:
    right, wholes = [], []
    for sha, reverted in sorted(gold.items()):
        named = said.get(sha, set())
        right.append(sum(reverted.startswith(other) for other in named))
        wholes.append(len(named) if figure == "precision" else 1)
    return ratio(np.array(right, np.int64), np.array(wholes, np.int64), of_nothing=1.0)
