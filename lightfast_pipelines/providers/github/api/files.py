"""The files of a repository's branch: trees and contents by REST, their last changes by GraphQL.

A single request of GraphQL tells the last commits of many files, where REST takes one for each. Format:
docs.github.com, "REST API endpoints for Git trees", "... for repository contents".
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from lightfast_pipelines.domain import keys
from lightfast_pipelines.providers.api_contract import Answer, Call, LinkedResource
from lightfast_pipelines.providers.fields import (
    child,
    children,
    flag,
    name_of,
    needed_child,
    text,
    time,
    whole,
)
from lightfast_pipelines.providers.files_contract import (
    BranchHead,
    FileChange,
    FileTree,
    RepositoryFiles,
    TreeEntry,
)
from lightfast_pipelines.providers.github.api.graph import call_of, query_of, repository_in
from lightfast_pipelines.providers.github.api.place import address, repository

_FILE_MODES = frozenset({"100644", "100755"})
# Git's id of a folder without anything in it, for which GitHub keeps no object.
_EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
_NO_BRANCH = "branch not found"
_LAST_CHANGE = "history(first: 1, path: $p{0}) {{ nodes {{ ...change }} }}"
_CHANGE = "fragment change on Commit { oid committedDate author { name user { login } } }\n"


class GitHubFiles(RepositoryFiles):
    """`RepositoryFiles` for github.com and GitHub Enterprise Server."""

    provider = "github"

    def head(self, place: LinkedResource, branch: str) -> Call:
        # Unlike the commit itself, the branch comes without the commit's diff.
        return Call(f"{address(place)}/branches/{quote(branch, safe='')}", of_one=True)

    def read_head(self, answer: Answer) -> BranchHead | None:
        if answer.status != 200:
            said = text(answer.data, "message") if isinstance(answer.data, dict) else None
            if said is not None and said.lower() == _NO_BRANCH:
                return None
            # A token without the permission gets 404 as well: the files may all be there.
            raise ValueError(
                "GitHub does not show the branch: give the token the permission Contents: read"
            )
        stated = needed_child(answer.data, "commit")
        commit = needed_child(stated, "commit")
        sha, tree = name_of(stated, "sha"), name_of(child(commit, "tree"), "sha")
        made_at = time(child(commit, "committer"), "date")
        if sha is None or tree is None or made_at is None:
            raise ValueError("the branch has no commit, no tree or no time")
        login = name_of(child(stated, "author"), "login")
        who = login or name_of(child(commit, "author"), "name")
        return BranchHead(FileChange(sha, keys.github_commit(sha), made_at, who), tree)

    def tree(self, place: LinkedResource, sha: str, *, recursive: bool) -> Call:
        params = {"recursive": "1"} if recursive else {}
        is_empty = sha == _EMPTY_TREE
        return Call(f"{address(place)}/git/trees/{sha}", params=params, of_one=is_empty)

    def read_tree(self, answer: Answer) -> FileTree:
        if answer.status != 200:
            return FileTree((), True)
        stated = answer.data["tree"]
        if not isinstance(stated, list):
            raise TypeError("the tree has no list of entries")
        entries = []
        for entry in stated:
            path, sha, kind = text(entry, "path"), name_of(entry, "sha"), text(entry, "type")
            if path is None or sha is None:
                raise ValueError("an entry of the tree has no path or no id")
            if kind == "tree":
                entries.append(TreeEntry(path, sha, is_folder=True))
            elif kind == "blob" and text(entry, "mode") in _FILE_MODES:
                entries.append(TreeEntry(path, sha, size=whole(entry, "size") or 0))
        return FileTree(tuple(entries), flag(answer.data, "truncated") is not True)

    def content(self, place: LinkedResource, path: str, commit_sha: str) -> Call:
        where = f"{address(place)}/contents/{quote(path)}"
        return Call(where, params={"ref": commit_sha}, of_one=True)

    def read_content(self, answer: Answer) -> bytes | None:
        if answer.status != 200:
            return None
        if text(answer.data, "encoding") != "base64" or not isinstance(
            answer.data.get("content"), str
        ):
            raise ValueError("the file comes without its content")
        try:
            # GitHub breaks it into lines.
            return base64.b64decode(answer.data["content"].replace("\n", ""), validate=True)
        except binascii.Error as error:
            raise ValueError("the file's content is not base64") from error

    def changes(self, place: LinkedResource, commit_sha: str, paths: Sequence[str]) -> Call:
        fields = "\n".join(f"f{n}: {_LAST_CHANGE.format(n)}" for n in range(len(paths)))
        variables: dict[str, tuple[str, Any]] = {"commit": ("GitObjectID!", commit_sha)}
        variables |= {f"p{n}": ("String!", path) for n, path in enumerate(paths)}
        selection = f"object(oid: $commit) {{ ... on Commit {{\n{fields}\n}} }}"
        query = query_of(place, selection, variables)
        return call_of({**query, "query": query["query"] + _CHANGE}, len(paths), of_one=True)

    def read_changes(
        self, place: LinkedResource, paths: Sequence[str], answer: Answer
    ) -> Mapping[str, FileChange]:
        commit = needed_child(repository_in(place, answer), "object")
        changes = {}
        for number, path in enumerate(paths):
            for node in children(child(commit, f"f{number}"), "nodes")[:1]:
                sha, at = name_of(node, "oid"), time(node, "committedDate")
                if sha is None or at is None:
                    raise ValueError("a commit has no id or no time")
                author = child(node, "author")
                who = name_of(child(author, "user"), "login") or name_of(author, "name")
                changes[path] = FileChange(sha, keys.github_commit(sha), at, who)
        return changes

    def page(self, place: LinkedResource, path: str, commit_sha: str) -> str | None:
        site = repository(place).get("html_url")
        return f"{site}/blob/{commit_sha}/{quote(path)}" if isinstance(site, str) else None


FILES = GitHubFiles()
