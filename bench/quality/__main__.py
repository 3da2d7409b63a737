"""Measures how good the memory is: `python -m bench.quality`, or `make quality`.

People, clusters, classes, links and time zones, each beside simple baselines, on the corpus beside the
checkout (`--corpus`) or on the history of any git repository (`--repo`). Exits with 1 if a figure is
below its floor. Without a corpus it measures what needs none: what was labelled by hand here. No
database of yours is touched, unless `--record` is given: then the result is stored in it, and the asset
`memory_quality` shows it.
"""

from __future__ import annotations

import argparse
import json
import logging
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path

from bench.corpus import CORPUS
from bench.quality import classes, clusters, links, people, reverts, time_zones
from bench.quality.figures import Figure, lines
from bench.quality.picture import draw
from bench.quality.repository import NoRepositoryError, write_corpus
from lightfast_pipelines.cli.opening import command_database
from lightfast_pipelines.cli.root import Failure
from lightfast_pipelines.store.database import Database
from lightfast_pipelines.store.quality import QualityResult, record_quality

Measure = Callable[[Path], Sequence[Figure]]

SUBJECTS: dict[str, Measure] = {
    "people": people.measure,
    "clusters": clusters.measure,
    "classes": classes.measure,
    "links": links.measure,
    "time zones": time_zones.measure,
}
# The others have labels of their own, or other data of the machine.
_NEED_A_CORPUS = frozenset({"clusters", "classes"})
_LATEST_COMMITS = 20_000


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    began = datetime.now(UTC)
    # A library of the embedder turns messages of all libraries on; those of the migrations say nothing.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        # Opened first: a database that is not there is not noticed after minutes of work.
        with command_database() if options.record else nullcontext() as database:
            figures = _measured(options)
            if database is not None:
                record(database, figures, began, options.code or _code_version())
    except (NoRepositoryError, Failure) as error:
        print(error, file=sys.stderr)
        return 2
    print("\n".join(lines(figures)))
    if options.json:
        options.json.write_text(json.dumps([_as_json(figure) for figure in figures], indent=2))
    if options.picture:
        draw(figures, options.picture)
    below = [figure for figure in figures if figure.is_below_floor]
    for figure in below:
        print(
            f"below its floor: {figure.title} is {figure.value.value:.3f},"
            f" at least {figure.floor:g} is acceptable",
            file=sys.stderr,
        )
    return 1 if below else 0


def _measured(options: argparse.Namespace) -> list[Figure]:
    figures: list[Figure] = []
    for repository in options.repo:
        figures += _of_repository(repository, options.only, options.commits)
    if not options.repo or options.corpus:
        figures += _of_corpus(options.corpus or CORPUS, options.only)
    return figures


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.quality", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--corpus", type=Path, help=f"folder of histories with gold ({CORPUS})")
    parser.add_argument(
        "--repo",
        type=Path,
        action="append",
        default=[],
        help="a git repository to measure instead of the corpus; may be repeated",
    )
    parser.add_argument(
        "--commits",
        type=int,
        default=_LATEST_COMMITS,
        help=f"how many of a repository's latest commits ({_LATEST_COMMITS})",
    )
    parser.add_argument("--only", choices=SUBJECTS, action="append", help="may be repeated")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--picture", type=Path, help="file for a picture (.png, .svg)")
    parser.add_argument("--record", action="store_true", help="store the result in the database")
    parser.add_argument("--code", help="the version that was measured (the commit checked out)")
    return parser.parse_args(arguments)


def _of_corpus(corpus: Path, only: Sequence[str] | None) -> Iterator[Figure]:
    is_there = corpus.is_dir()
    if not is_there:
        print(f"no corpus in {corpus}: only what needs none is measured", file=sys.stderr)
    for subject in only or SUBJECTS:
        if is_there or subject not in _NEED_A_CORPUS:
            yield from _timed(subject, SUBJECTS[subject], corpus)


def _of_repository(repository: Path, only: Sequence[str] | None, most: int) -> Iterator[Figure]:
    """Without floors, which are stated for the corpus."""
    of_history: dict[str, Measure] = {
        "links": reverts.measure,
        "time zones": partial(time_zones.measure, repo=repository),
    }
    with tempfile.TemporaryDirectory(prefix="lightfast-quality-") as folder:
        name = write_corpus(repository, Path(folder), most=most)
        for subject in only or SUBJECTS:
            measure = of_history.get(subject, SUBJECTS[subject])
            measured = _timed(subject, measure, Path(folder))
            own = [figure for figure in measured if figure.data.startswith(name)]
            if not own:
                print(f"{name}: its history has no gold for {subject}", file=sys.stderr)
            yield from (replace(figure, floor=None, reach=None) for figure in own)


def _timed(subject: str, measure: Measure, corpus: Path) -> Sequence[Figure]:
    began = time.perf_counter()
    figures = measure(corpus)
    print(f"{subject}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    return figures


def _as_json(figure: Figure) -> dict[str, object]:
    fields = asdict(figure)
    for name in ("value", "baseline", "gain"):
        interval = getattr(figure, name)
        fields[name] = interval._asdict() if interval is not None else None
    return {**fields, "verdict": figure.verdict}


def record(database: Database, figures: Sequence[Figure], at: datetime, code: str) -> None:
    """Stores a measurement of this code."""
    with database.connect("pipeline", application_name="lightfast quality") as conn:
        record_quality(conn, at, [_as_result(figure, code) for figure in figures])
        conn.commit()
    print(f"recorded {len(figures)} figures in {database.describe()}", file=sys.stderr)


def _as_result(figure: Figure, code: str) -> QualityResult:
    value, low, high = figure.value
    baseline = figure.baseline or (None, None, None)
    return QualityResult(
        *(figure.subject, figure.data, figure.name, code, value, low, high),
        *(figure.baseline_name or "", *baseline, figure.floor, figure.reach, figure.note),
    )


def _code_version() -> str:
    """The commit that is checked out; the package's version where this is no checkout."""
    done = subprocess.run(
        ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"],
        capture_output=True,
        check=False,
        text=True,
    )
    return done.stdout.strip() or version("lightfast-pipelines")


if __name__ == "__main__":
    raise SystemExit(main())
