"""The contract of a provider that keeps repositories: how the files of a branch's head are read.

It does no I/O: calls and answers are values, as in `api_contract.py`. A provider's folder exposes `FILES`
in its module `api.files`, where `discover_files` finds it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Protocol

from lightfast_pipelines import providers
from lightfast_pipelines.providers.api_contract import Answer, Call, LinkedResource


@dataclass(frozen=True, slots=True)
class FileChange:
    """The commit that last changed a file: its id, its key as an entity, when and by whom."""

    commit_sha: str
    commit_key: str
    changed_at: datetime
    changed_by: str | None


@dataclass(frozen=True, slots=True)
class BranchHead:
    """The commit that a branch points at, and the id of its folder of files."""

    change: FileChange
    tree_sha: str


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """A file or folder; `path` is relative to the folder that was asked for. Only a file has a size."""

    path: str
    sha: str
    is_folder: bool = False
    size: int = 0


@dataclass(frozen=True, slots=True)
class FileTree:
    """What a folder holds; `is_whole` is false if the provider left something out."""

    entries: Sequence[TreeEntry]
    is_whole: bool


class RepositoryFiles(Protocol):
    """One provider's files. `read_` methods raise ValueError, LookupError or TypeError for an answer of
    another form."""

    provider: str

    def head(self, place: LinkedResource, branch: str) -> Call:
        """The request for the branch; `of_one`, as a repository without any commit has no branch."""
        ...

    def read_head(self, answer: Answer) -> BranchHead | None:
        """None if there is no such branch."""
        ...

    def tree(self, place: LinkedResource, sha: str, *, recursive: bool) -> Call:
        """The request for a folder by its id, with `recursive` for all folders in it as well."""
        ...

    def read_tree(self, answer: Answer) -> FileTree:
        """Links and submodules are left out."""
        ...

    def content(self, place: LinkedResource, path: str, commit_sha: str) -> Call:
        """The request for a file as a commit has it; `of_one`."""
        ...

    def read_content(self, answer: Answer) -> bytes | None:
        """None if the commit has no such file."""
        ...

    def changes(self, place: LinkedResource, commit_sha: str, paths: Sequence[str]) -> Call:
        """The request for the last change of each file up to a commit."""
        ...

    def read_changes(
        self, place: LinkedResource, paths: Sequence[str], answer: Answer
    ) -> Mapping[str, FileChange]:
        """Path -> its last change; without those that the provider knows no change of."""
        ...

    def page(self, place: LinkedResource, path: str, commit_sha: str) -> str | None:
        """The address of the file as a commit has it, for people."""
        ...


@cache
def discover_files() -> dict[str, RepositoryFiles]:
    """Name -> files, for each provider whose folder has them."""
    return providers.discover_part("api.files", "FILES")
