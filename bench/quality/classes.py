"""Compares the category of commits with their conventional prefix, which was taken out of the title.

`python -m bench.quality.classes [CORPUS]` trains on all projects but one and reports on that one, for
each project. What is measured is the whole rule (`classification.classify`), with the model that never
saw the project. Macro F1 is the mean over the categories that the project has.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.corpus import CORPUS
from bench.quality import keyword_rules
from bench.quality.category_training import Commit, read, train
from bench.quality.figures import Figure, lines
from bench.quality.intervals import difference, interval, ratio, share_of
from lightfast_pipelines.domain.category_model import SHIPPED, CategoryModel
from lightfast_pipelines.domain.classification import Classification, classify
from lightfast_pipelines.domain.events import Statement, Thing
from lightfast_pipelines.domain.significance import words_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Somewhat below what is reached.
_FLOORS = {"macro F1": 0.36, "gain": 0.12, "gain with files": 0.03, "certain": 0.66}
_SUBJECT = "classes"
_LEAST_EACH = 5

Rule = Callable[[str, Sequence[str]], str]


def decide(commit: Commit, model: CategoryModel, *, title_alone: bool = False) -> Classification:
    statement = Statement(
        source_id="github:commit:0|pushed",
        source="github",
        source_type="commit.pushed",
        subject=Thing("github:commit:0"),
        occurred_at=datetime(2026, 1, 1, tzinfo=UTC),
        title=commit.title,
        content=commit.title,
        paths=None if title_alone else commit.paths or None,
    )
    return classify(statement, commit.title, words_of(commit.title), model)


class Answers:
    """What a rule said about commits, with the gold."""

    def __init__(self, gold: Sequence[str], said: Sequence[str]) -> None:
        self.units = len(gold)
        self._classes = sorted(set(gold))
        self._gold = np.array([[name == c for c in self._classes] for name in gold])
        self._said = np.array([[name == c for c in self._classes] for name in said])

    def macro_f1(self, drawn: NDArray[np.int64]) -> float:
        """With each commit counted as often as it was drawn; a category not drawn does not count."""
        weight = drawn[:, None]
        gold, said = (self._gold * weight).sum(axis=0), (self._said * weight).sum(axis=0)
        right = (self._gold & self._said) * weight
        scores = 2 * right.sum(axis=0) / np.maximum(gold + said, 1)
        return float(scores[gold > 0].mean()) if (gold > 0).any() else 0.0


BASELINES: dict[str, Rule] = {
    "patterns": keyword_rules.by_pattern,
    "keywords": keyword_rules.by_word,
    "keywords and files": keyword_rules.by_word_and_file,
}


def compare(
    projects: Mapping[str, Sequence[Commit]], model_of: Mapping[str, CategoryModel], tested: str
) -> list[Figure]:
    """Figures of each project, judged by its model, and of all together."""
    figures: list[Figure] = []
    answers: dict[str, dict[str, Answers]] = {}
    for project, commits in projects.items():
        said = _said(commits, model_of[project])
        gold = [commit.category for commit in commits]
        answers[project] = {name: Answers(gold, choices) for name, choices in said.items()}
        figures += _project(f"{project}{tested}", answers[project], Counter(gold))
    if len(projects) > 1:
        figures += _together(answers)
    return figures


def _said(commits: Sequence[Commit], model: CategoryModel) -> dict[str, list[str]]:
    most_frequent = Counter(commit.category for commit in commits).most_common(1)[0][0]
    return {
        "ours": [decide(commit, model).category for commit in commits],
        "title alone": [decide(commit, model, title_alone=True).category for commit in commits],
        "majority": [most_frequent] * len(commits),
        **{name: [rule(c.title, c.paths) for c in commits] for name, rule in BASELINES.items()},
    }


def _project(data: str, answers: Mapping[str, Answers], counts: Counter[str]) -> list[Figure]:
    units = sum(counts.values())
    ours = answers["ours"].macro_f1
    best = max(
        ("patterns", "keywords"), key=lambda name: answers[name].macro_f1(np.ones(units, np.int64))
    )
    gain = difference(units, ours, answers[best].macro_f1)
    majority = interval(units, answers["majority"].macro_f1)
    files = interval(units, answers["keywords and files"].macro_f1)
    rare = [name for name, count in sorted(counts.items()) if count < _LEAST_EACH]
    note = f"majority {majority.value:.3f}, keywords and files {files.value:.3f}"
    return [
        Figure(
            _SUBJECT,
            data,
            "macro F1",
            interval(units, ours),
            best,
            interval(units, answers[best].macro_f1),
            _FLOORS["macro F1"],
            None,
            note + (f"; under {_LEAST_EACH} commits: {', '.join(rare)}" if rare else ""),
            gain,
        )
    ]


def _together(answers: Mapping[str, Mapping[str, Answers]]) -> list[Figure]:
    """Means over the projects; a draw takes commits of all of them."""
    sizes = [of_project["ours"].units for of_project in answers.values()]
    units, ends = sum(sizes), np.cumsum(sizes)[:-1]

    def mean(name: str) -> Callable[[NDArray[np.int64]], float]:
        def of_draw(drawn: NDArray[np.int64]) -> float:
            parts = np.split(drawn, ends)
            return float(
                np.mean([a[name].macro_f1(d) for a, d in zip(answers.values(), parts, strict=True)])
            )

        return of_draw

    def better_keywords(drawn: NDArray[np.int64]) -> float:
        return max(mean("patterns")(drawn), mean("keywords")(drawn))

    words, files = mean("keywords"), mean("keywords and files")
    everything = f"{len(answers)} projects"
    gain = difference(units, mean("ours"), better_keywords)
    return [
        Figure(
            *(_SUBJECT, everything, "mean macro F1", interval(units, mean("ours"))),
            *("keywords", interval(units, words)),
        ),
        Figure(
            *(_SUBJECT, everything, "mean gain over keyword rules", gain, None, None),
            *(_FLOORS["gain"], 0.10),
        ),
        Figure(
            *(_SUBJECT, everything, "mean gain over keyword and file rules"),
            difference(units, mean("ours"), files),
            floor=_FLOORS["gain with files"],
            note=f"keywords and files {interval(units, files)}",
        ),
        Figure(
            *(_SUBJECT, everything, "mean macro F1, title alone"),
            interval(units, mean("title alone")),
            *("keywords", interval(units, words)),
        ),
    ]


def certainty(
    projects: Mapping[str, Sequence[Commit]], model_of: Mapping[str, CategoryModel]
) -> Figure:
    """How often a choice is right that calls itself certain, beside all choices."""
    decided = [
        (decide(commit, model_of[project]), commit.category)
        for project, commits in projects.items()
        for commit in commits
    ]
    certain = np.array([choice.is_certain for choice, _ in decided])
    right = np.array([choice.category == gold for choice, gold in decided])
    return Figure(
        *(_SUBJECT, "all commits", "accuracy of certain choices"),
        interval(len(decided), ratio(right & certain, certain)),
        "all choices",
        interval(len(decided), share_of(right)),
        _FLOORS["certain"],
        note=f"{certain.mean():.0%} of the choices are certain",
    )


def measure(corpus: Path) -> list[Figure]:
    """Each project by a model that has not seen it; a single one by the shipped model."""
    commits = read(corpus)
    projects: dict[str, list[Commit]] = {}
    for commit in commits:
        projects.setdefault(commit.project, []).append(commit)
    if len(projects) < 2:
        return compare(projects, dict.fromkeys(projects, SHIPPED), "")
    models = {
        left_out: train([c for c in commits if c.project != left_out]) for left_out in projects
    }
    return [*compare(projects, models, " left out"), certainty(projects, models)]


def main() -> None:
    corpus = Path(sys.argv[1]) if len(sys.argv) > 1 else CORPUS
    print("\n".join(lines(measure(corpus))))


if __name__ == "__main__":
    main()
