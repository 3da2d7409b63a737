"""Repositories with files for GitHub's API: branches, trees, contents and the last change of each file.

Ids are Git's own, so equal contents have equal ids.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from tests.servers.github import GitHubServer
from tests.servers.github_parts import iso
from tests.servers.github_wire import Bucket, Reply, Request, fault

BEGAN = datetime(2026, 5, 1, 9, tzinfo=UTC)
_FIELD = re.compile(r"f(\d+): history\(first: 1, path: \$p\1\)")


def git_id(kind: str, content: bytes) -> str:
    return hashlib.sha1(f"{kind} {len(content)}\0".encode() + content).hexdigest()


@dataclass(frozen=True, slots=True)
class Commit:
    """`files` is the whole of it; `changed` are the paths that it changed."""

    sha: str
    files: Mapping[str, bytes]
    changed: frozenset[str]
    author: str
    at: datetime
    parent: Commit | None


@dataclass(slots=True)
class FileRepository:
    """A repository; `links` are paths of symbolic links. `cut_trees` is the most entries of a tree."""

    id: int = 1
    full_name: str = "acme/shop"
    default_branch: str = "main"
    branches: dict[str, Commit] = field(default_factory=dict)
    links: set[str] = field(default_factory=set)
    cut_trees: int = 100_000

    def commit(
        self,
        changes: Mapping[str, str | bytes | None],
        *,
        branch: str | None = None,
        author: str = "ada",
        after: Commit | None = None,
    ) -> Commit:
        """Adds a commit on the branch; None removes a file. With `after` the branch is forced there."""
        name = branch or self.default_branch
        parent = after or self.branches.get(name)
        files = dict(parent.files) if parent else {}
        for path, content in changes.items():
            if content is None:
                del files[path]
            else:
                files[path] = content.encode() if isinstance(content, str) else content
        at = parent.at + timedelta(hours=1) if parent else BEGAN
        told = f"{parent.sha if parent else ''} {author} {sorted(files.items())}"
        commit = Commit(
            git_id("commit", told.encode()), files, frozenset(changes), author, at, parent
        )
        self.branches[name] = commit
        return commit

    @property
    def head(self) -> Commit:
        return self.branches[self.default_branch]

    def found(self, sha: str) -> Commit | None:
        for head in self.branches.values():
            commit: Commit | None = head
            while commit is not None:
                if commit.sha == sha:
                    return commit
                commit = commit.parent
        return None


def last_change(commit: Commit, path: str) -> Commit | None:
    at: Commit | None = commit
    while at is not None:
        before = at.parent.files.get(path) if at.parent else None
        if at.files.get(path) != before:
            return at
        at = at.parent
    return None


class FilesServer(GitHubServer):
    """GitHub for repositories with files; tokens and limits are those of every other endpoint."""

    def __init__(self, *repositories: FileRepository, **options: Any) -> None:
        super().__init__(**options)
        self.repositories = list(repositories)
        self._folders: dict[str, Mapping[str, bytes]] = {}

    def _routed(self, request: Request, bucket: Bucket) -> Reply:
        if request.path == "graphql":
            return self._changes(request, bucket)
        # A path and a branch may have slashes of their own.
        parts = request.path.split("/")
        if len(parts) < 2 or parts[0] != "repositories":
            return fault(404, "Not Found")
        repository = next((one for one in self.repositories if str(one.id) == parts[1]), None)
        if repository is None:
            return fault(404, "Not Found")
        match parts[2:]:
            case []:
                return Reply(200, _described(repository))
            case ["branches", *name]:
                return _branch(repository, "/".join(name), self)
            case ["git", "trees", sha]:
                return self._tree(repository, sha, "recursive" in request.params)
            case ["contents", *path]:
                return _content(repository, "/".join(path), request.params.get("ref", ""))
            case _:
                return fault(404, "Not Found")

    def tree_of(self, files: Mapping[str, bytes]) -> str:
        told = "".join(
            f"{path} {git_id('blob', content)}" for path, content in sorted(files.items())
        )
        sha = git_id("tree", told.encode())
        self._folders[sha] = files
        return sha

    def _tree(self, repository: FileRepository, sha: str, recursive: bool) -> Reply:
        files = self._folders.get(sha)
        if files is None:
            return fault(404, "Not Found")
        entries: list[dict[str, Any]] = []
        folders: dict[str, dict[str, bytes]] = {}
        for path, content in sorted(files.items()):
            name, slash, rest = path.partition("/")
            if slash:
                folders.setdefault(name, {})[rest] = content
            if recursive or not slash:
                mode = "120000" if path in repository.links else "100644"
                entry = {"path": path, "mode": mode, "type": "blob", "size": len(content)}
                entries.append({**entry, "sha": git_id("blob", content)})
        for name, inside in folders.items():
            entry = {"path": name, "mode": "040000", "type": "tree", "sha": self.tree_of(inside)}
            entries.append(entry)
        is_cut = len(entries) > repository.cut_trees
        return Reply(
            200, {"sha": sha, "tree": entries[: repository.cut_trees], "truncated": is_cut}
        )

    def _changes(self, request: Request, bucket: Bucket) -> Reply:
        asked = msgspec.json.decode(request.body)
        variables = asked["variables"]
        name = f"{variables['owner']}/{variables['name']}"
        repository = next((one for one in self.repositories if one.full_name == name), None)
        points = {
            "cost": 1,
            "limit": bucket.limit,
            "remaining": max(0, bucket.left - 1),
            "resetAt": iso(bucket.resets_at),
        }
        if repository is None:
            missing = {"type": "NOT_FOUND", "message": f"Could not resolve to {name}"}
            return Reply(200, {"data": {"repository": None}, "errors": [missing]})
        head = repository.found(variables["commit"])
        fields = _FIELD.findall(asked["query"])
        commit = head and {
            f"f{n}": {"nodes": _told(last_change(head, variables[f"p{n}"]))} for n in fields
        }
        answer = {"databaseId": repository.id, "object": commit}
        return Reply(200, {"data": {"repository": answer, "rateLimit": points}})


def _told(commit: Commit | None) -> Sequence[Any]:
    if commit is None:
        return []
    author = {"name": commit.author.title(), "user": {"login": commit.author}}
    return [{"oid": commit.sha, "committedDate": iso(commit.at), "author": author}]


def _described(repository: FileRepository) -> dict[str, Any]:
    owner, _, name = repository.full_name.partition("/")
    return {
        "id": repository.id,
        "name": name,
        "full_name": repository.full_name,
        "html_url": f"https://github.com/{repository.full_name}",
        "default_branch": repository.default_branch,
        "private": True,
        "archived": False,
        "fork": False,
        "owner": {"login": owner},
    }


def _branch(repository: FileRepository, name: str, server: FilesServer) -> Reply:
    head = repository.branches.get(name)
    if head is None:
        return fault(404, "Branch not found")
    person = {"name": head.author.title(), "date": iso(head.at)}
    commit = {
        "author": person,
        "committer": person,
        "message": "a commit",
        "tree": {"sha": server.tree_of(head.files)},
    }
    stated = {"sha": head.sha, "commit": commit, "author": {"login": head.author}}
    return Reply(200, {"name": name, "commit": stated, "protected": False})


def _content(repository: FileRepository, path: str, ref: str) -> Reply:
    commit = repository.found(ref)
    content = commit.files.get(path) if commit else None
    if content is None:
        return fault(404, "Not Found")
    told = {"type": "file", "path": path, "size": len(content), "sha": git_id("blob", content)}
    return Reply(
        200, {**told, "encoding": "base64", "content": base64.encodebytes(content).decode()}
    )
