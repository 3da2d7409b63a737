"""Trains the category model; `python -m bench.quality.category_training CORPUS` writes its weights.

Softmax regression over the features of category_features.py, pulled towards the prior of
category_prior.py. It learns from commits whose conventional prefix states their category and has been
taken out of their titles. Nothing of their text is kept but single words and pairs, with a number each.
"""

from __future__ import annotations

import argparse
import gzip
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bench.corpus import pushed_commits
from bench.quality.category_prior import prior
from lightfast_pipelines.domain.category_features import features
from lightfast_pipelines.domain.category_model import CategoryModel
from lightfast_pipelines.domain.classification import conventional_prefix

if TYPE_CHECKING:
    from numpy.typing import NDArray

CLASSES = (
    "bug_fix",
    "feature",
    "refactor",
    "documentation",
    "testing",
    "infrastructure",
    "performance",
)
TARGET = Path(__file__).parents[2] / "lightfast_pipelines" / "domain" / "classification_weights.py"
# How strongly a weight is pulled to its prior, in commits. This, the weight of titles alone and the share
# of the bias were chosen among 18 settings. If the choice for a project is made on the other five, the
# mean macro F1 is 0.506 instead of 0.516.
_PULL = 15.0
# Half the weight is on the title alone: pull requests arrive without their files.
_TITLE_ALONE = 0.5
# Shares of categories differ between projects, so what was learnt about them counts less.
_SHARE_OF_BIAS = 0.6
# Renovate calls each update of a runtime dependency `fix(deps)`. Nothing is learnt from these; what they
# say about others counts as it stands.
_DEPENDENCIES = frozenset({"deps", "dep", "deps-dev", "dependencies"})
_LEAST_WEIGHT = 0.2
_STEPS = 80


class Commit(NamedTuple):
    project: str
    category: str
    title: str
    paths: tuple[str, ...]
    scope: str = ""


def read(corpus: Path) -> list[Commit]:
    """The commits of six projects: four of `types/`, and those of two whose history is recorded."""
    commits: list[Commit] = []
    for file in sorted(corpus.glob("types/*.tsv.gz")):
        with gzip.open(file, "rt", errors="replace") as lines:
            for line in lines:
                fields = [*line.rstrip("\n").split("\t"), "", ""]
                paths = tuple(fields[5].split())
                project = file.name.split(".")[0]
                commits += _commit(project, (fields[2], fields[3]), fields[4], paths)
    for gold in sorted(corpus.glob("gold/*/scopes.tsv")):
        rows = [line.split("\t") for line in gold.read_text().splitlines()]
        prefixes = {row[0]: (row[1], row[2]) for row in rows}
        project = gold.parent.name
        for identity, (title, paths) in _pushed(corpus / f"{project}.jsonl.gz").items():
            if identity in prefixes:
                commits += _commit(project, prefixes[identity], title, paths)
    return commits


def _commit(
    project: str, stated: tuple[str, str], title: str, paths: tuple[str, ...]
) -> list[Commit]:
    prefix = conventional_prefix(f"{stated[0]}: ")
    if prefix is None or prefix.category not in CLASSES:
        return []
    return [Commit(project, prefix.category, title, paths, stated[1])]


def _pushed(history: Path) -> dict[str, tuple[str, tuple[str, ...]]]:
    commits = {}
    for commit in pushed_commits(history):
        paths = [*commit["added"], *commit["removed"], *commit["modified"]]
        title = commit["message"].partition("\n")[0]
        commits[commit["id"]] = (title, tuple(sorted(paths)))
    return commits


def train(commits: Sequence[Commit]) -> CategoryModel:
    """The model of these commits; projects, and categories, have similar importance."""
    from scipy.optimize import minimize

    hand = prior()
    commits = [c for c in commits if not (c.scope in _DEPENDENCIES and c.category == "bug_fix")]
    examples = [features(c.title, c.paths) for c in commits]
    examples += [features(c.title, ()) for c in commits]
    names = _names(commits, examples, hand)
    place = {name: position for position, name in enumerate(names)}
    x = _matrix(examples, place)
    y = np.zeros((len(examples), len(CLASSES)), np.float32)
    y[np.arange(len(examples)), [CLASSES.index(c.category) for c in [*commits, *commits]]] = 1
    importance = np.tile(_importance(commits), 2)
    importance[len(commits) :] *= _TITLE_ALONE
    start = np.zeros((len(names) + 1, len(CLASSES)))
    for name, weights in hand.items():
        for category, weight in weights.items():
            start[place[name], CLASSES.index(category)] = weight
    pull = np.array([[p] for p in (*_pulls(names, commits, examples), 1.0)])

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        w = flat.reshape(start.shape)
        z = x @ w
        z -= z.max(axis=1, keepdims=True)
        p = np.exp(z)
        p /= p.sum(axis=1, keepdims=True)
        right = np.log(np.maximum((p * y).sum(axis=1), 1e-12))
        away = w - start
        slope = x.T @ ((p - y) * importance[:, None]) + pull * away
        total = float(-(importance * right).sum() + 0.5 * (pull * away**2).sum())
        return total, slope.ravel()

    fitted = minimize(
        loss, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": _STEPS}
    ).x.reshape(start.shape)
    fitted -= fitted.mean(axis=1, keepdims=True)
    kept = {
        name: tuple(round(100 * float(value)) for value in fitted[position])
        for name, position in place.items()
        if np.abs(fitted[position]).max() >= _LEAST_WEIGHT
    }
    return CategoryModel(
        kept, tuple(round(100 * _SHARE_OF_BIAS * float(value)) for value in fitted[-1])
    )


def _names(
    commits: Sequence[Commit], examples: Sequence[set[str]], hand: Iterable[str]
) -> list[str]:
    """Features of the prior, and those that two projects use at least three times together.

    A word that only one project uses says something about the project, not about the work.
    """
    count: Counter[str] = Counter()
    projects: dict[str, set[str]] = defaultdict(set)
    for commit, example in zip(commits, examples, strict=False):
        count.update(example)
        for name in example:
            projects[name].add(commit.project)
    return sorted({n for n in count if count[n] > 2 and len(projects[n]) > 1} | {"nopaths", *hand})


def _pulls(
    names: Sequence[str], commits: Sequence[Commit], examples: Sequence[set[str]]
) -> list[float]:
    """The pull on each weight: up to ten times as strong where one project has nearly all the uses.

    One project's `build: cache` would otherwise make every cache a matter of infrastructure.
    """
    uses: dict[str, Counter[str]] = {name: Counter() for name in names}
    for commit, example in zip(commits, examples, strict=False):
        for name in example & uses.keys():
            uses[name][commit.project] += 1
    shares = [max(counts.values(), default=0) / max(1, counts.total()) for counts in uses.values()]
    return [_PULL / (1.1 - share) for share in shares]


def _importance(commits: Sequence[Commit]) -> NDArray[np.float64]:
    by_project, by_class = Counter(c.project for c in commits), Counter(c.category for c in commits)
    importance: NDArray[np.float64] = np.array(
        [by_project[c.project] ** -0.5 * by_class[c.category] ** -0.35 for c in commits]
    )
    importance /= importance.mean()
    return importance


def _matrix(examples: Sequence[set[str]], place: Mapping[str, int]) -> Any:
    """A row an example, a column a feature; the last column is 1 everywhere."""
    from scipy.sparse import csr_matrix

    rows, columns = [], []
    for row, example in enumerate(examples):
        known = [place[name] for name in example if name in place]
        columns += [*known, len(place)]
        rows += [row] * (len(known) + 1)
    shape = (len(examples), len(place) + 1)
    return csr_matrix((np.ones(len(rows)), (rows, columns)), shape=shape)


def write(model: CategoryModel) -> None:
    lines = [
        '"""Weights of the category model: evidence of a feature for each category of LEARNED.',
        "",
        "Made by `python -m bench.quality.category_training`; category_features.py makes the features. A",
        "weight is in hundredths of a logit, so that sums are exact and the same in any order.",
        '"""',
        "",
        "from __future__ import annotations",
        "",
        f"LEARNED = {CLASSES!r}".replace("'", '"'),
        f"BIAS = {model.bias!r}",
        "# fmt: off",
        '_TEXT = """',
    ]
    line = ""
    for name in sorted(model.weights):
        entry = f"{name} {' '.join(map(str, model.weights[name]))};"
        if len(line) + len(entry) > 99:
            lines.append(line)
            line = ""
        line += entry
    lines += [line.removesuffix(";"), '"""', "# fmt: on", "WEIGHTS: dict[str, tuple[int, ...]] = {"]
    lines += ['    " ".join(words[: -len(LEARNED)]): tuple(map(int, words[-len(LEARNED) :]))']
    lines += ['    for words in map(str.split, _TEXT.split(";"))', "}", ""]
    TARGET.write_text("\n".join(lines))
    print(f"wrote {len(model.weights)} weights to {TARGET}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("corpus", type=Path, help="folder with types/ and gold/")
    write(train(read(parser.parse_args().corpus)))


if __name__ == "__main__":
    main()
