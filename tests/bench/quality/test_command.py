"""`python -m bench.quality`: what it prints, stores and refuses."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench.quality.__main__ import main, record
from bench.quality.figures import Figure
from bench.quality.intervals import Interval
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.quality import last_measured, results_at
from tests.bench.quality.test_repository import Repository

RIGHT = (
    ("fix", "Fix crash in the cart", "src/cart.py"),
    ("feat", "Add a wish list", "src/wishes.py"),
    ("docs", "Explain how to pay", "docs/pay.md"),
)


def corpus_of(folder: Path, commits: tuple[tuple[str, str, str], ...]) -> Path:
    """A corpus of two projects with these types, titles and files, ten times each."""
    (folder / "types").mkdir(parents=True)
    for project in ("one", "two"):
        with gzip.open(folder / "types" / f"{project}.tsv.gz", "wt") as lines:
            for number in range(10):
                for type_, title, path in commits:
                    lines.write(f"{number}\t2026-01-01\t{type_}\t\t{title}\t{path}\n")
    return folder


def test_the_figures_of_a_repository_are_printed_and_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    repository = Repository(tmp_path / "shop")
    for type_, title, path in RIGHT:
        repository.commit(f"{type_}: {title}", path)
    files = ["--json", str(tmp_path / "q.json"), "--picture", str(tmp_path / "q.png")]
    assert main(["--repo", str(repository.path), "--only", "classes", *files]) == 0
    assert "macro F1  1.000 [1.000, 1.000]" in capsys.readouterr().out
    [figure] = json.loads((tmp_path / "q.json").read_text())
    assert (figure["data"], figure["value"]["value"]) == ("shop", 1.0)
    assert figure["floor"] is None
    assert (tmp_path / "q.png").read_bytes().startswith(b"\x89PNG")


def test_what_a_history_does_not_state_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    repository = Repository(tmp_path / "shop")
    repository.commit("Begin", "a.py")
    assert main(["--repo", str(repository.path), "--only", "people", "--only", "classes"]) == 0
    errors = capsys.readouterr().err
    assert "shop: its history has no gold for people" in errors
    assert "shop: its history has no gold for classes" in errors


def test_a_figure_below_its_floor_fails_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = tuple(
        (type_, title, path)
        for type_, (_, title, path) in zip(("docs", "fix", "feat"), RIGHT, strict=True)
    )
    corpus = corpus_of(tmp_path / "wrong", wrong)
    assert main(["--corpus", str(corpus), "--only", "classes"]) == 1
    assert "below its floor: classes, one left out: macro F1" in capsys.readouterr().err


def test_without_a_corpus_it_says_so_and_succeeds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--corpus", str(tmp_path / "none"), "--only", "classes"]) == 0
    assert f"no corpus in {tmp_path / 'none'}" in capsys.readouterr().err


def test_a_folder_that_is_no_repository_is_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--repo", str(tmp_path), "--only", "classes"]) == 2
    assert "not a git repository" in capsys.readouterr().err


def test_a_measurement_is_recorded_with_its_baselines_and_floors(
    database: Database, conn: Connection
) -> None:
    at = datetime(2026, 5, 1, tzinfo=UTC)
    value, theirs = Interval(0.9, 0.8, 0.95), Interval(0.5, 0.4, 0.6)
    figures = [
        Figure("people", "git", "f1", value, "same address", theirs, 0.8, 0.95, "12 people"),
        Figure("people", "git", "f1", value, "exact name", theirs),
        Figure("links", "labels", "recall", value),
    ]
    record(database, figures, at, "abc1234")
    assert last_measured(conn) == at
    links, by_name, by_address = results_at(conn, at)
    assert (links.baseline_name, links.baseline, links.floor) == ("", None, None)
    assert (by_name.baseline_name, by_name.floor) == ("exact name", None)
    assert (by_address.low, by_address.high, by_address.baseline) == (0.8, 0.95, 0.5)
    assert (by_address.floor, by_address.reach, by_address.note) == (0.8, 0.95, "12 people")
    assert {result.code_version for result in (links, by_name, by_address)} == {"abc1234"}
