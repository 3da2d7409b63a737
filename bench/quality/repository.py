"""Makes deliveries and gold of any git repository, in the form of the corpus that the measures read.

The deliveries are pushes of one commit each. The gold is what the history itself states: people by the
repository's .mailmap, threads by its merges, kinds of work by conventional prefixes, which are taken
out of the messages. Files (N is the repository's name): `N.jsonl.gz`, `N-commits.jsonl.gz` (numbers
masked), `people/N.tsv`, `gold/N/threads.tsv`, `gold/N/scopes.tsv`, `gold/N/reverts.tsv` (reverts.py). A history
that states nothing about one of these has no such file.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.quality.reverts import speaks_of_a_revert, taken_back
from lightfast_pipelines.domain.classification import conventional_prefix

_FIELDS = ("%H", "%P", "%an", "%ae", "%aN", "%aE", "%aI", "%B")
_RECORD, _FIELD = "\x01", "\x02"
_KINDS = {"A": "added", "D": "removed", "M": "modified", "T": "modified"}
_NUMBERED = re.compile(r"\(?#\d+\)?|https?://\S+")
_PREFIX = re.compile(r"^\s*[A-Za-z_-]+(?:\([^()\n]*\))?!?:\s*")
# Bringing the main branch up to date merges no work.
_UPDATE = re.compile(r"^Merge (?:remote-tracking branch|branch '\S+' of|branch 'ma(?:ster|in)')")


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit, with the author's name and address as written and as .mailmap corrects them."""

    sha: str
    parents: tuple[str, ...]
    alias: tuple[str, str]
    person: tuple[str, str]
    at: datetime
    message: str
    files: Mapping[str, Sequence[str]]


class NoRepositoryError(Exception):
    """The path is not a git repository, or git cannot read its history."""


def write_corpus(repository: Path, folder: Path, *, most: int) -> str:
    """Writes the corpus of the latest `most` commits into `folder`; returns the repository's name."""
    commits = read_commits(repository, most)
    name = repository.resolve().name.removesuffix(".git") or "repository"
    work = [commit for commit in commits if len(commit.parents) < 2]
    unprefixed = [_without_prefix(commit) for commit in work]
    _write_pushes(folder / f"{name}.jsonl.gz", name, unprefixed)
    masked = [replace(c, message=_NUMBERED.sub("", c.message).strip()) for c in unprefixed]
    _write_pushes(folder / f"{name}-commits.jsonl.gz", name, masked)
    threads = threads_of(commits)
    if len({threads[commit.sha] for commit in work}) < len(work):
        _write(folder / "gold" / name / "threads.tsv", ((c.sha, threads[c.sha]) for c in work))
    if prefixes := list(_prefixes(work)):
        _write(folder / "gold" / name / "scopes.tsv", prefixes)
    if len({c.person for c in commits}) < len({c.alias for c in commits}):
        _write(folder / "people" / f"{name}.tsv", _people(commits))
    reverting = [c.sha for c in work if speaks_of_a_revert(c.message)]
    if reverts := list(taken_back(repository, [c.sha for c in work], reverting)):
        _write(folder / "gold" / name / "reverts.tsv", reverts)
    return name


def read_commits(repository: Path, most: int) -> list[Commit]:
    """The latest commits of the branch that is checked out, oldest first."""
    done = subprocess.run(
        [
            *("git", "-C", str(repository), "-c", "core.quotePath=false", "log", "--topo-order"),
            *("--no-renames", "--name-status", f"--max-count={most}"),
            f"--format={_RECORD}{_FIELD.join(_FIELDS)}{_FIELD}",
        ],
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise NoRepositoryError(f"{repository}: {done.stderr.decode('utf-8', 'replace').strip()}")
    text = done.stdout.decode("utf-8", "replace")
    return [_commit(record) for record in reversed(text.split(_RECORD)[1:])]


def _commit(record: str) -> Commit:
    sha, parents, name, address, mapped_name, mapped_address, at, message, rest = record.split(
        _FIELD, 8
    )
    files: dict[str, list[str]] = {"added": [], "removed": [], "modified": []}
    for line in rest.splitlines():
        status, _, path = line.partition("\t")
        if path:
            files[_KINDS.get(status[:1], "modified")].append(path)
    return Commit(
        sha,
        tuple(parents.split()),
        (name, address),
        (mapped_name, mapped_address),
        datetime.fromisoformat(at),
        message.strip(),
        files,
    )


def threads_of(commits: Sequence[Commit]) -> dict[str, str]:
    """Commit -> what brought it into the main line: a merge, or itself."""
    by_sha = {commit.sha: commit for commit in commits}
    main_line: list[Commit] = []
    commit = commits[-1] if commits else None
    while commit is not None:
        main_line.append(commit)
        commit = by_sha.get(commit.parents[0]) if commit.parents else None
    threads: dict[str, str] = {}
    for merge in reversed(main_line):
        threads[merge.sha] = merge.sha
        is_update = _UPDATE.match(merge.message) is not None
        waiting = list(merge.parents[1:])
        while waiting:
            sha = waiting.pop()
            if sha in by_sha and sha not in threads:
                threads[sha] = sha if is_update else merge.sha
                waiting += by_sha[sha].parents
    # What the main line of a history that was cut off does not reach.
    return {sha: threads.get(sha, sha) for sha in by_sha}


def _without_prefix(commit: Commit) -> Commit:
    title, newline, rest = commit.message.partition("\n")
    if conventional_prefix(title) is None:
        return commit
    return replace(commit, message=_PREFIX.sub("", title, count=1) + newline + rest)


def _prefixes(commits: Sequence[Commit]) -> Iterator[tuple[str, str, str]]:
    for commit in commits:
        prefix = conventional_prefix(commit.message.partition("\n")[0])
        if prefix is not None:
            yield commit.sha, prefix.type, prefix.scope or ""


def _people(commits: Sequence[Commit]) -> Iterator[tuple[str, ...]]:
    """Name, address, the person's name and address, first and last day, number of commits."""
    of_alias: dict[tuple[str, str], list[Commit]] = {}
    for commit in commits:
        of_alias.setdefault(commit.alias, []).append(commit)
    for alias, theirs in sorted(of_alias.items()):
        days = sorted(commit.at.astimezone(UTC).date().isoformat() for commit in theirs)
        yield (*alias, *theirs[-1].person, days[0], days[-1], str(len(theirs)))


def _write(path: Path, rows: Iterable[tuple[str, ...]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["\t".join(re.sub(r"\s", " ", field) for field in row) for row in rows]
    path.write_text("".join(f"{line}\n" for line in lines))


def _write_pushes(path: Path, name: str, commits: Sequence[Commit]) -> None:
    number = int(hashlib.sha256(name.encode()).hexdigest()[:7], 16)
    repository = {
        "id": number,
        "name": name,
        "full_name": f"{name}/{name}",
        "default_branch": "main",
        "owner": {"login": name, "id": number},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt") as lines:
        for commit in sorted(commits, key=lambda commit: (commit.at, commit.sha)):
            lines.write(json.dumps(_push(commit, repository)) + "\n")


def _push(commit: Commit, repository: Mapping[str, Any]) -> dict[str, Any]:
    at = commit.at.isoformat()
    author = {"name": commit.alias[0], "email": commit.alias[1], "date": at}
    stated = {
        "id": commit.sha,
        "distinct": True,
        "message": commit.message,
        "timestamp": at,
        "author": author,
        "committer": author,
        **commit.files,
    }
    payload = {
        "ref": "refs/heads/main",
        "before": "0" * 40,
        "after": commit.sha,
        "created": False,
        "deleted": False,
        "forced": False,
        "commits": [stated],
        "head_commit": stated,
        "repository": repository,
        "sender": repository["owner"],
    }
    delivery_id = hashlib.sha256(commit.sha.encode()).hexdigest()[:32]
    return {"event": "push", "delivery_id": delivery_id, "occurred_at": at, "payload": payload}
