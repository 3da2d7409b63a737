"""Reads a linked repository through its provider's API: the head, the files it holds, their contents.

Everything is asked for by the ids of one commit, so it does not change while it is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from lightfast_pipelines.provider_api.client import ApiClient, CallFailedError
from lightfast_pipelines.providers.api_contract import AnswerOutcome, LinkedResource
from lightfast_pipelines.providers.files_contract import (
    BranchHead,
    FileChange,
    FileTree,
    RepositoryFiles,
    TreeEntry,
)

MOST_FOLDERS = 2_000
"""Folders that are asked for one by one where the provider cannot list a repository at once."""
_PATHS_AT_ONCE = 50


class TooManyFilesError(ValueError):
    """The repository is too large to be listed."""


class Repository:
    """One linked repository; `place` has its current name."""

    def __init__(self, api: ApiClient, files: RepositoryFiles, place: LinkedResource) -> None:
        self._api, self._files, self.place = api, files, place
        self.default_branch = ""

    def identify(self) -> None:
        """Asks for its name and default branch. Raises CallFailedError, ValueError, TypeError."""
        provider_api = self._api.provider_api
        call = provider_api.identify(self.place)
        if call is None:
            raise ValueError(f"{provider_api.provider} is not asked for a resource itself")
        identity = provider_api.identified(self._api.ask(call))
        self.place = replace(
            self.place,
            resource_name=identity.name or self.place.resource_name,
            meta={**self.place.meta, **identity.meta},
        )
        branch = identity.meta.get("default_branch")
        if not isinstance(branch, str):
            raise ValueError("the repository comes without its default branch")
        self.default_branch = branch

    def head(self) -> BranchHead | None:
        """The head of the default branch, which `identify` found; None if nothing was pushed yet."""
        answer = self._api.ask(self._files.head(self.place, self.default_branch))
        return self._files.read_head(answer)

    def entries(self, head: BranchHead) -> dict[str, TreeEntry]:
        """Path -> file. Raises TooManyFilesError."""
        tree = self._tree(head.tree_sha, recursive=True)
        if tree.is_whole:
            return {entry.path: entry for entry in tree.entries if not entry.is_folder}
        return dict(self._walk(head.tree_sha))

    def _walk(self, root: str) -> Iterator[tuple[str, TreeEntry]]:
        """Every file, folder by folder: a list that the provider cut is of no use."""
        waiting = [("", root)]
        asked = 0
        while waiting:
            above, sha = waiting.pop()
            asked += 1
            if asked > MOST_FOLDERS:
                raise TooManyFilesError(
                    f"the provider cannot list the repository at once, and it has more than "
                    f"{MOST_FOLDERS:,} folders"
                )
            tree = self._tree(sha, recursive=False)
            if not tree.is_whole:
                raise TooManyFilesError(
                    f"the folder {above or '/'} has more files than can be listed"
                )
            for entry in tree.entries:
                path = above + entry.path
                if entry.is_folder:
                    waiting.append((f"{path}/", entry.sha))
                else:
                    yield path, replace(entry, path=path)

    def _tree(self, sha: str, *, recursive: bool) -> FileTree:
        call = self._files.tree(self.place, sha, recursive=recursive)
        return self._files.read_tree(self._api.ask(call))

    def content(self, entry: TreeEntry, commit_sha: str) -> bytes | None:
        """None if the provider does not hand it out. Raises ValueError if it is not whole."""
        answer = self._api.ask(self._files.content(self.place, entry.path, commit_sha))
        content = self._files.read_content(answer)
        if content is not None and len(content) != entry.size:
            raise ValueError(f"{entry.path} came with {len(content):,} of {entry.size:,} bytes")
        return content

    def changes(self, head: BranchHead, paths: Sequence[str]) -> Mapping[str, FileChange]:
        """Path -> the last change up to the head; the head itself where the provider knows none."""
        found: dict[str, FileChange] = {}
        waiting = [
            paths[start : start + _PATHS_AT_ONCE] for start in range(0, len(paths), _PATHS_AT_ONCE)
        ]
        while waiting:
            some = waiting.pop()
            call = self._files.changes(self.place, head.change.commit_sha, some)
            try:
                answer = self._api.ask(call)
            except CallFailedError as error:
                if error.outcome is not AnswerOutcome.HEAVY or len(some) == 1:
                    raise
                middle = len(some) // 2
                waiting += [some[:middle], some[middle:]]
                continue
            found |= self._files.read_changes(self.place, some, answer)
        return {path: found.get(path, head.change) for path in paths}

    def page(self, path: str, commit_sha: str) -> str | None:
        return self._files.page(self.place, path, commit_sha)
