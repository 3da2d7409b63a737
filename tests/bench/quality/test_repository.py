"""A repository's history becomes deliveries and gold: by its merges, its .mailmap and its prefixes."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
from pathlib import Path

import pytest

from bench.quality import reverts
from bench.quality.repository import NoRepositoryError, read_commits, write_corpus

MIRA = ("Mira Sand", "mira@acme.dev")
MIRA_AT_HOME = ("mira", "mira@home.example")
TOM = ("Tom Reed", "tom@acme.dev")


class Repository:
    """A git repository in a folder of the test; each commit is an hour later."""

    def __init__(self, folder: Path) -> None:
        self.path = folder
        self._hour = 0
        folder.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str, by: tuple[str, str] = MIRA) -> str:
        at = f"2026-03-02T{self._hour:02}:00:00+02:00"
        name, address = by
        environment = {
            **os.environ,
            "GIT_AUTHOR_NAME": name,
            "GIT_AUTHOR_EMAIL": address,
            "GIT_AUTHOR_DATE": at,
            "GIT_COMMITTER_NAME": name,
            "GIT_COMMITTER_EMAIL": address,
            "GIT_COMMITTER_DATE": at,
            "GIT_CONFIG_GLOBAL": os.devnull,
        }
        done = subprocess.run(
            ["git", "-C", str(self.path), *arguments],
            env=environment,
            capture_output=True,
            check=True,
            text=True,
        )
        return done.stdout.strip()

    def commit(self, message: str, *files: str, by: tuple[str, str] = MIRA) -> str:
        self._hour += 1
        for file in files:
            path = self.path / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{message}\n{self._hour}\n")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message, by=by)
        return self.git("rev-parse", "HEAD")

    def merge(self, branch: str, message: str) -> str:
        self._hour += 1
        self.git("merge", "--quiet", "--no-ff", "--message", message, branch)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "shop")
    made.commit("Begin the shop", "src/shop.py")
    return made


def gold(folder: Path, file: str) -> list[list[str]]:
    return [line.split("\t") for line in (folder / file).read_text().splitlines()]


def test_commits_that_a_merge_brought_in_are_a_thread(
    repository: Repository, tmp_path: Path
) -> None:
    repository.git("switch", "--quiet", "--create", "cart")
    first = repository.commit("Add a cart", "src/cart.py")
    second = repository.commit("Empty the cart after payment", "src/cart.py")
    repository.git("switch", "--quiet", "main")
    alone = repository.commit("Say hello", "README.md")
    merge = repository.merge("cart", "Merge pull request #7 from mira/cart")
    write_corpus(repository.path, tmp_path / "corpus", most=100)
    threads = dict(gold(tmp_path / "corpus", "gold/shop/threads.tsv"))
    assert (threads[first], threads[second], threads[alone]) == (merge, merge, alone)
    assert merge not in threads


def test_bringing_a_branch_up_to_date_makes_no_thread(
    repository: Repository, tmp_path: Path
) -> None:
    """A colleague's commits that `git pull` merged are not one piece of work."""
    repository.git("switch", "--quiet", "--create", "theirs")
    theirs = [repository.commit(f"Change {n}", f"src/{n}.py") for n in range(2)]
    repository.git("switch", "--quiet", "main")
    repository.commit("Mine", "src/mine.py")
    repository.merge("theirs", "Merge branch 'main' of github.com:acme/shop")
    write_corpus(repository.path, tmp_path / "corpus", most=100)
    assert len(theirs) == 2
    assert not (tmp_path / "corpus/gold/shop/threads.tsv").exists()


def test_the_mailmap_says_which_aliases_are_one_person(
    repository: Repository, tmp_path: Path
) -> None:
    repository.commit("From home", "src/a.py", by=MIRA_AT_HOME)
    repository.commit("Mine", "src/b.py", by=TOM)
    repository.commit(
        "Say who is who\n",
        "src/c.py",
    )
    (repository.path / ".mailmap").write_text("Mira Sand <mira@acme.dev> <mira@home.example>\n")
    write_corpus(repository.path, tmp_path / "corpus", most=100)
    rows = gold(tmp_path / "corpus", "people/shop.tsv")
    people = {(row[0], row[1]): (row[2], row[3]) for row in rows}
    assert people == {MIRA: MIRA, MIRA_AT_HOME: MIRA, TOM: TOM}
    assert {row[6] for row in rows if (row[0], row[1]) == MIRA} == {"2"}


def test_a_prefix_is_gold_and_is_taken_out_of_the_message(
    repository: Repository, tmp_path: Path
) -> None:
    sha = repository.commit("fix(cart)!: count twice (#12)\n\nfix: not a prefix here", "src/a.py")
    write_corpus(repository.path, tmp_path / "corpus", most=100)
    assert gold(tmp_path / "corpus", "gold/shop/scopes.tsv") == [[sha, "fix", "cart"]]
    messages = {}
    for file in ("shop", "shop-commits"):
        with gzip.open(tmp_path / "corpus" / f"{file}.jsonl.gz", "rt") as lines:
            last = [json.loads(line) for line in lines][-1]
        [commit] = last["payload"]["commits"]
        assert commit["id"] == sha
        assert commit["added"] == ["src/a.py"]
        messages[file] = commit["message"]
    assert messages["shop"] == "count twice (#12)\n\nfix: not a prefix here"
    assert "#12" not in messages["shop-commits"]


def test_a_commit_takes_back_the_one_whose_patch_it_undoes(
    repository: Repository, tmp_path: Path
) -> None:
    wrong = repository.commit("Count twice", "src/cart.py")
    repository.commit("Something else", "src/other.py")
    repository.git("revert", "--no-edit", wrong)
    said = repository.git("rev-parse", "HEAD")
    (repository.path / "src/other.py").unlink()
    repository.commit("Remove it, and revert nothing by it", "src/new.py")
    write_corpus(repository.path, tmp_path / "corpus", most=100)
    assert gold(tmp_path / "corpus", "gold/shop/reverts.tsv") == [[said, wrong]]
    precision, recall = reverts.measure(tmp_path / "corpus")
    assert (precision.data, precision.name) == ("shop", "reverts, precision")
    assert (precision.value.value, recall.value.value) == (1.0, 1.0)


def test_a_history_without_gold_has_none(repository: Repository, tmp_path: Path) -> None:
    repository.commit("Another", "src/b.py")
    write_corpus(repository.path, tmp_path / "corpus", most=100)
    assert not (tmp_path / "corpus" / "gold").exists()
    assert not (tmp_path / "corpus" / "people").exists()


def test_only_the_latest_commits_are_read(repository: Repository) -> None:
    latest = [repository.commit(f"Change {n}", f"src/{n}.py") for n in range(3)]
    assert [commit.sha for commit in read_commits(repository.path, 2)] == latest[1:]


def test_a_folder_without_a_repository_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoRepositoryError):
        write_corpus(tmp_path, tmp_path / "corpus", most=100)
