"""Commits of histories, and the pull request that really merged each: what clusters are measured by.

Commits come one by one, without their pull requests; the rule of people says whose they are, as in the
memory. `cluster_training.py` learns from the earlier half of ipython and from starlette, `clusters.py`
reports on ipython's later half.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.corpus import gold_of, pushed_commits
from bench.quality.people import by_rule
from bench.quality.people_gold import Alias
from lightfast_pipelines.clustering.similarity import VectorMeaning
from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.consolidation import Happening, Threads, find_threads
from lightfast_pipelines.domain.views import view_texts
from lightfast_pipelines.domain.work_marks import read_marks
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
from lightfast_pipelines.providers.fields import first_line, titled
from lightfast_pipelines.providers.github.webhooks.commits import MENTIONED_FILES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEARNT_FROM = frozenset({"ipython", "starlette"})

Division = list[int]
"""The cluster of each commit, as a number."""


@dataclass(frozen=True, slots=True)
class GoldHistory:
    """Parallel lists, in order of time: commits, their threads by the gold, vectors of their texts."""

    name: str
    happenings: list[Happening]
    gold: list[str]
    vectors: NDArray[np.float16]

    def threads(self) -> Threads:
        return find_threads(self.happenings, [])

    def meaning(self, threads: Threads) -> VectorMeaning:
        times = [happening.at for happening in self.happenings]
        return VectorMeaning(self.vectors, times, threads.unit_of, len(threads.units))

    def division(self, groups: Iterable[Iterable[int]]) -> Division:
        """That of groups of the commits' places."""
        cluster_of = [0] * len(self.gold)
        for number, group in enumerate(groups):
            for place in group:
                cluster_of[place] = number
        return cluster_of


def histories(corpus: Path) -> dict[str, GoldHistory]:
    """Those that have both deliveries and gold in the corpus, by name.

    Commits one by one where there are such deliveries (`NAME-commits`), else as they were pushed.
    """
    by_name = {}
    for threads in sorted(corpus.glob("gold/*/threads.tsv")):
        name = threads.parent.name
        files = [corpus / f"{name}{kind}.jsonl.gz" for kind in ("-commits", "")]
        for file in filter(Path.exists, files):
            by_name[name] = _history(name, file, threads)
            break
    return by_name


def _history(name: str, file: Path, threads: Path) -> GoldHistory:
    gold = gold_of(threads)
    commits = {commit["id"]: commit for commit in pushed_commits(file) if commit["id"] in gold}
    aliases = {commit_id: _alias(commit) for commit_id, commit in commits.items()}
    person_of = by_rule(set(aliases.values()))
    loaded = [
        commit_happening(commit, str(person_of[aliases[commit_id]]))
        for commit_id, commit in commits.items()
    ]
    loaded.sort(key=lambda item: (item[0].at, item[0].source_id))
    happenings = [happening for happening, _ in loaded]
    vectors = WordLlamaEmbedder().embed([text for _, text in loaded]).astype("float16")
    return GoldHistory(
        name, happenings, [gold[h.subject_key.rpartition(":")[2]] for h in happenings], vectors
    )


def _alias(commit: dict[str, Any]) -> Alias:
    return commit["author"]["name"], commit["author"]["email"]


def commit_happening(commit: dict[str, Any], person: str) -> tuple[Happening, str]:
    """What the memory makes of a pushed commit of a person, and the text of its summary vector."""
    message = commit["message"]
    title = titled("Commit", first_line(message))
    files = [path for kind in ("added", "removed", "modified") for path in commit[kind]]
    subject = keys.github_commit(commit["id"])
    happening = Happening(
        source_id=keys.source_id(subject, "pushed"),
        subject_key=subject,
        at=datetime.fromisoformat(commit["timestamp"]).timestamp(),
        title=title,
        author=person,
        identity=f"git:{keys.git_identity(*_alias(commit))}",
        files=frozenset(map(keys.file, sorted(set(files))[:MENTIONED_FILES])),
        marks=read_marks(title, message),
    )
    return happening, view_texts(title, message)[2]
