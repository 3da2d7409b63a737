"""Measures how well categories are recovered from commits without their conventional prefix.

`python bench/classification.py TYPES_FOLDER` trains on all projects but
one and reports on that one, for each; then it reports on the shipped weights over all. `--write` trains
on all of them and writes domain/classification_weights.py. Only numpy is needed; one core, 20 s.

Files: id, day, type, scope, subject, changed files, tab-separated, as ../shared/corpus/types.
"""

from __future__ import annotations

import argparse
import gzip
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lightfast_pipelines.domain.classification import conventional_prefix, features, model_category

CLASSES = (
    "bug_fix",
    "feature",
    "refactor",
    "documentation",
    "testing",
    "infrastructure",
    "performance",
)
TARGET = Path(__file__).parents[1] / "lightfast_pipelines" / "domain" / "classification_weights.py"
KEPT = 250  # weights beyond these change no figure by more than a point

# What a person would say without data. Training pulls towards it, so that words which the four
# projects hardly use (five kinds of performance work in 6,885 commits) keep a sensible weight.
PRIOR: dict[str, str] = {
    "testing": "all:test=3 1:test=2 1:tests=2 w:test=1.2 w:tests=1.3 w:testing=1 w:xfail=1.2 w:e2e=1 w:coverage=1 "
    "w:unittest=1 w:pytest=.5 b:add_test=1 b:add_tests=1 b:unit_test=.5 b:test_case=.5 w:flaky=.5",
    "documentation": "all:doc=2.5 w:readme=2 w:docs=2 w:doc=2 w:documentation=2 w:docstring=2.5 "
    "w:docstrings=2.5 w:typo=1.2 w:typos=1.2 w:changelog=1.5 w:contributing=1 w:document=1.5 w:whatsnew=2 "
    "b:what's_new=2 w:wording=1.5 w:tutorial=1.5 w:guide=1 w:sponsors=1 w:grammar=1.5 w:spelling=1 w:clarify=.7",
    "infrastructure": "all:ci=2 all:dep=2 all:cidep=1.5 w:bump=2 w:deps=1.5 w:dependencies=1 w:dependency=1 w:ci=1.5 "
    "w:workflow=1 w:docker=.5 w:dockerfile=1 1:bump=1 1:upgrade=.7 w:lockfile=1.5 w:renovate=1 "
    "w:appveyor=1.5 w:travis=1.5 w:workflows=1 w:manifest=1 w:pypi=1 w:packaging=1 w:requirements=1 "
    "1:pin=1.5 1:unpin=1.5",
    "performance": "w:perf=2.5 w:performance=2.5 w:faster=2.5 w:speed=2.5 w:optimize=2 w:optimise=2 w:optimization=2 "
    "w:slow=1.2 w:cache=.5 w:caching=.8 w:batch=.5 w:latency=1.5 1:optimize=.5 w:speedup=2.5",
    "refactor": "w:refactor=2.5 1:refactor=1 w:refactoring=2.5 w:rename=1.5 1:rename=.7 w:cleanup=1.7 w:simplify=1.7 "
    "w:unused=1 1:move=1 w:restructure=2 w:reorganize=2 w:lint=1 w:prettier=.7 w:extract=.5 b:clean_up=1.5 "
    "w:formatting=1 1:remove=.4 w:migrate=.5 w:deduplicate=1 w:style=1.2 w:black=1.2 w:linter=1.2 w:reformat=1.7 "
    "w:autoformat=1.7 w:pathlib=.8 b:type_hints=1 w:annotations=.7 w:mypy=.7 w:typing=.7 b:drop_support=1 1:replace=.5",
    "feature": "1:add=1.2 1:adds=1.2 w:support=1 1:implement=1.5 w:implement=.6 w:new=.6 1:allow=1 1:introduce=1 "
    "1:enable=.6 1:expose=.8 w:feature=.7 1:support=1",
    "bug_fix": "w:fix=2.5 w:fixes=2.5 w:fixed=2.5 w:bug=2 1:fix=.5 w:crash=1.5 w:error=.7 w:incorrect=1.2 w:wrong=1.2 "
    "w:broken=1.2 w:avoid=.6 1:prevent=1 1:handle=.6 w:missing=.6 w:regression=1 1:ensure=.5 1:correct=1 w:panic=1 "
    "w:leak=1 w:null=.5 w:fails=.8 w:failing=.6",
}


class Commit(NamedTuple):
    project: str
    category: str
    title: str
    paths: tuple[str, ...]


Model = tuple[dict[str, "np.ndarray"], "np.ndarray"]


def read(folder: Path) -> list[Commit]:
    commits = []
    for file in sorted(folder.glob("*.tsv.gz")):
        with gzip.open(file, "rt", errors="replace") as lines:
            for line in lines:
                fields = [*line.rstrip("\n").split("\t"), "", ""]
                prefix = conventional_prefix(f"{fields[2]}: ")
                if prefix is not None:
                    paths = tuple(fields[5].split())
                    commits.append(
                        Commit(file.name.split(".")[0], prefix.category, fields[4], paths)
                    )
    return [commit for commit in commits if commit.category in CLASSES]


def prior() -> dict[str, dict[str, float]]:
    weights: dict[str, dict[str, float]] = defaultdict(dict)
    for category, text in PRIOR.items():
        for item in text.split():
            feature, _, weight = item.partition("=")
            weights[feature.replace("_", " ")][category] = float(weight)
    return weights


def train(commits: Sequence[Commit], pull: float = 60.0, steps: int = 120) -> Model:
    """Softmax regression (Adam) pulled towards the prior; projects and classes have similar weights."""
    hand = prior()
    commit_features = [features(c.title, c.paths) for c in commits]
    count: Counter[str] = Counter()
    projects: dict[str, set[str]] = defaultdict(set)
    for commit, seen in zip(commits, commit_features, strict=True):
        for feature in seen:
            count[feature] += 1
            projects[feature].add(commit.project)
    # A word that only one project uses says something about the project, not about the work.
    enough = min(2, len({c.project for c in commits}))
    names = sorted({f for f in count if count[f] >= 5 and len(projects[f]) >= enough} | hand.keys())
    place = {name: i for i, name in enumerate(names)}
    by_project, by_class = Counter(c.project for c in commits), Counter(c.category for c in commits)
    importance = np.array(
        [by_project[c.project] ** -0.5 * by_class[c.category] ** -0.35 for c in commits]
    )
    importance /= importance.mean()
    x = np.zeros((len(commits), len(names) + 1))
    y = np.zeros((len(commits), len(CLASSES)))
    x[:, -1] = 1
    for row, (commit, seen) in enumerate(zip(commits, commit_features, strict=True)):
        x[row, [place[f] for f in seen if f in place]] = 1
        y[row, CLASSES.index(commit.category)] = 1
    start = np.zeros((len(names) + 1, len(CLASSES)))
    for name, weights in hand.items():
        for category, weight in weights.items():
            start[place[name], CLASSES.index(category)] = weight
    w, mean, square = start.copy(), np.zeros_like(start), np.zeros_like(start)
    for step in range(1, steps + 1):
        z = x @ w
        p = np.exp(z - z.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        slope = (x.T @ ((p - y) * importance[:, None]) + pull * (w - start)) / len(commits)
        mean = 0.9 * mean + 0.1 * slope
        square = 0.999 * square + 0.001 * slope**2
        w -= 0.06 * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
    strength = {name: np.abs(w[i] - w[i].mean()).max() for name, i in place.items()}
    kept = sorted(names, key=lambda name: -strength[name])[:KEPT]
    # One of the four projects has mostly fixes, so the shares of categories differ elsewhere.
    return {name: w[place[name]] for name in kept}, 0.6 * w[-1]


def choose(model: Model, commit: Commit) -> str:
    weights, bias = model
    z = bias + sum(weights[f] for f in features(commit.title, commit.paths) if f in weights)
    return CLASSES[int(np.argmax(z))]


def report(name: str, commits: Sequence[Commit], choice: Callable[[Commit], str]) -> None:
    pairs = [(c.category, choice(c)) for c in commits]
    scores = {}
    for category in sorted({gold for gold, _ in pairs}):
        hit = sum(gold == got == category for gold, got in pairs)
        either = sum((gold == category) + (got == category) for gold, got in pairs)
        scores[category] = 2 * hit / either
    accuracy = sum(gold == got for gold, got in pairs) / len(pairs)
    macro = sum(scores.values()) / len(scores)
    each = " ".join(f"{category} {score:.2f}" for category, score in scores.items())
    print(f"{name:32} n {len(pairs):5} accuracy {accuracy:.3f} macro-F1 {macro:.3f}  {each}")


def write(model: Model) -> None:
    weights, bias = model
    lines = [
        '"""Weights of the category model: evidence of a feature for each category of LEARNED.',
        "",
        "Made by `python bench/classification.py --write`; the features are those of classification.py.",
        '"""',
        "",
        "from __future__ import annotations",
        "",
        f"LEARNED = {CLASSES!r}".replace("'", '"'),
        f"BIAS = {tuple(round(float(b), 2) for b in bias)!r}",
        "# fmt: off",
        "WEIGHTS: dict[str, tuple[float, ...]] = {",
    ]
    for name in sorted(weights):
        values = ", ".join(f"{float(v):.2f}" for v in weights[name])
        lines.append(f'    "{name}": ({values}),')
    TARGET.write_text("\n".join([*lines, "}", "# fmt: on", ""]))
    print(f"wrote {len(weights)} weights to {TARGET}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of *.tsv.gz, a project a file")
    parser.add_argument("--write", action="store_true", help="train on all and write the weights")
    arguments = parser.parse_args()
    commits = read(arguments.folder)
    if arguments.write:
        write(train(commits))
        return
    held_out: dict[Commit, str] = {}
    for project in sorted({c.project for c in commits}):
        model = train([c for c in commits if c.project != project])
        mine = [c for c in commits if c.project == project]
        held_out |= {c: choose(model, c) for c in mine}
        report(f"left out: {project}", mine, held_out.__getitem__)
    report("left out: all four", commits, held_out.__getitem__)
    report(
        "shipped weights (trained on it)", commits, lambda c: model_category(c.title, c.paths)[0]
    )


if __name__ == "__main__":
    main()
