"""Which paths of a repository patterns name, as in `.gitignore`.

`fnmatch` compares one name of a path, and this module the names of a whole path. A pattern comes from
anybody who may push, and a single regular expression for a whole pattern (as `pathspec` makes it) takes time
that is exponential in the number of its stars.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

DOCUMENT_SUFFIXES = (".md", ".mdx", ".markdown", ".txt", ".rst")
_ANY_FOLDERS = "**"
# Paths are indexed, and an index row holds about 2,700 bytes.
_LONGEST_PATH = 600


class DocumentPatterns(NamedTuple):
    """The files that are documents: those that `include` names and `exclude` does not."""

    include: tuple[str, ...]
    exclude: tuple[str, ...] = ()

    def holds(self, path: str) -> bool:
        if not path.lower().endswith(DOCUMENT_SUFFIXES) or len(path) > _LONGEST_PATH:
            return False
        return matches_any(path, self.include) and not matches_any(path, self.exclude)


def matches_any(path: str, patterns: Iterable[str]) -> bool:
    """Whether a pattern names the path or a folder above it.

    `*` and `?` stop at a slash, `**` is any number of folders. A pattern without a slash (`*.md`, `docs`)
    names a file or folder at any depth, one that ends in a slash only a folder.
    """
    names = path.split("/")
    return any(_matches(names, pattern) for pattern in patterns)


def _matches(names: Sequence[str], pattern: str) -> bool:
    only_folders = pattern.endswith("/")
    parts = [part for part in pattern.split("/") if part not in ("", ".")]
    if "/" not in pattern.rstrip("/"):
        parts.insert(0, _ANY_FOLDERS)
    # How many names the parts so far can stand for.
    reached = {0}
    for number, part in enumerate(parts, start=1):
        if not reached:
            return False
        if part == _ANY_FOLDERS:
            # At the end (`docs/**`) it is what the folder holds, not the folder.
            least = min(reached) + (number == len(parts))
            reached = set(range(least, len(names) + 1))
        else:
            reached = {at + 1 for at in reached if at < len(names) and fnmatchcase(names[at], part)}
    deepest = len(names) - 1 if only_folders else len(names)
    return any(0 < at <= deepest for at in reached)
