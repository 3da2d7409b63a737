"""Words for what a file is about, from its path."""

from __future__ import annotations

import re
from collections.abc import Iterable, Set
from functools import lru_cache

_PREFIX = "file:"
_TEST = re.compile(r"^tests?[_-]|[._-](?:test|tests|spec)$")
# Names of files and folders that say nothing about the work.
_SAYS_NOTHING = frozenset(
    (
        "__init__", "index", "main", "src", "lib", "test", "tests", "docs", "doc", "source", "init",
        "utils", "util", "helpers", "common", "core", "app", "apps", "packages", "readme", "changelog",
        "license", "setup", "package", "package-lock", "yarn", "pyproject", "requirements", "conftest",
        "makefile", "dockerfile", "github", "workflows", "version", "whatsnew", "news", "py", "js",
    )
)  # fmt: skip
_FEWEST_LETTERS = 3


@lru_cache(maxsize=50_000)
def file_words(key: str) -> tuple[str, ...]:
    """The names of the file and of the folder that it is in, if they say something.

    >>> file_words("file:IPython/core/tests/test_completer.py")
    ('completer',)
    >>> file_words("file:web/checkout/cart.tsx")
    ('cart', 'checkout')
    """
    *folders, name = key.removeprefix(_PREFIX).lower().split("/")
    stem = _TEST.sub("", name.lstrip(".").partition(".")[0])
    said = (word for word in (stem, *folders[-1:]) if len(word) >= _FEWEST_LETTERS)
    return tuple(word for word in said if word not in _SAYS_NOTHING and not word.isdigit())


def common_place(files: Iterable[Set[str]]) -> str | None:
    """The file, else the folder, that all of these lists of files are in; None if there is none."""
    paths = {key.removeprefix(_PREFIX) for keys in files for key in keys}
    if not paths:
        return None
    if len(paths) == 1:
        return paths.pop()
    split = [path.split("/")[:-1] for path in sorted(paths)]
    common: list[str] = []
    for parts in zip(*split, strict=False):
        if len(set(parts)) > 1:
            break
        common.append(parts[0])
    return "/".join(common) or None
