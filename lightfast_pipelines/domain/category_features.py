"""What the category model sees of an observation: words of the title, and kinds of the changed files.

The weights of these features are in classification_weights.py; what is decided by rules without the
model is in classification.py.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

_WORD = re.compile(r"[a-z][a-z0-9']+")
_NUMBERED = re.compile(r"\bv?\d+\.\d")
_MAX_PATHS = 200
# Of longer paths only the end is looked at, so that the cache is small whatever somebody commits.
_LONGEST_PATH = 400
# Titles and paths repeat words and files: with both caches a title of ten words and five files costs
# about 20 µs, without them 90.
_CACHED = 1 << 14

# The first kind that matches; `code` if none does.
_PATHS = (
    (
        "ci",
        r"(?:^|/)\.(?:github|circleci|gitlab|buildkite|woodpecker|drone|husky)/"
        r"|(?:^|/)(?:\.gitlab-ci|\.travis|\.pre-commit-config|azure-pipelines|\.?appveyor|\.?codecov"
        r"|\.coveragerc|renovate|dependabot|\.mergify|\.readthedocs|bitbucket-pipelines)[^/]*$"
        r"|(?:^|/)(?:jenkinsfile|codeowners|tox\.ini|noxfile\.py)[^/]*$",
    ),
    (
        "lock",
        r"(?:^|/)(?:package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|go\.sum|bun\.lockb?"
        r"|(?:uv|poetry|pdm|pixi|gemfile|cargo|composer|pipfile|flake|mix)\.lock|requirements[\w-]*\.lock)$",
    ),
    (
        "dep",
        r"(?:^|/)(?:package\.json|pyproject\.toml|setup\.(?:py|cfg)|go\.mod|cargo\.toml|gemfile|pipfile"
        r"|composer\.json|pom\.xml|build\.gradle(?:\.kts)?|[\w.-]*requirements[\w-]*\.(?:txt|in)"
        r"|constraints\.txt|environment\.ya?ml|manifest\.in|\.npmrc|\.nvmrc|\.tool-versions"
        r"|\.python-version|[^/]+\.csproj|[^/]+\.gemspec)$|(?:^|/)requirements/",
    ),
    (
        "ops",
        r"(?:^|/)(?:makefile|[^/]*dockerfile[^/]*|\.?docker-compose[^/]*|\.dockerignore|procfile"
        r"|vagrantfile|cmakelists\.txt|justfile|taskfile\.ya?ml)$"
        r"|\.(?:tf|tfvars|hcl|dockerfile|nix|cmake|mk)$"
        r"|(?:^|/)(?:helm|charts?|k8s|kubernetes|terraform|ansible|docker|deploy|devops|\.devcontainer"
        r"|infra|infrastructure)/",
    ),
    (
        "tool",
        r"(?:^|/)(?:\.gitignore|\.gitattributes|\.editorconfig|\.prettier[^/]*|\.eslint[^/]*"
        r"|eslint\.config\.[^/]*|\.?flake8|\.pylintrc|\.?ruff\.toml|mypy\.ini|\.golangci[^/]*"
        r"|\.rubocop[^/]*|biome\.json|tsconfig[^/]*\.json|\.babelrc|\.mailmap|\.licenserc[^/]*"
        r"|(?:webpack|vite|rollup|babel|jest|vitest|karma|postcss|tailwind)\.config[^/]*"
        r"|\.clang-format|\.git-blame-ignore-revs)$|(?:^|/)\.(?:vscode|idea)/",
    ),
    (
        "test",
        r"(?:^|/)(?:tests?|testing|e2e|__tests__|__snapshots__|__mocks__|specs?|testdata|test-fixtures"
        r"|fixtures|cypress|playwright|[\w-]+[_-]tests?)/"
        r"|(?:^|/)(?:test_[^/]*|conftest|tests)\.py$|[._-](?:test|spec|tests)\.\w+$"
        r"|(?:^|/)[^/]*tests?\.(?:java|kt|cs|php|swift|scala)$",
    ),
    (
        "bench",
        r"(?:^|/)(?:bench|benches|benchmarks?|perf)/|(?:^|/)(?:bench|benchmark)[^/]*$",
    ),
    (
        "version",
        r"(?:^|/)(?:_?_?version_?_?\.(?:py|go|rb|ts|js|txt)|version|\.release-please-manifest\.json)$",
    ),
    (
        "log",
        r"(?:^|/)(?:changelog|changes|history|news|release[_-]?notes|whatsnew|newsfragments|\.changeset)"
        r"(?:[^/]*$|/)",
    ),
    (
        "doc",
        r"(?:^|/)(?:docs?|documentation|website|man|doc_src|docs_src|adr|rfcs?)/"
        r"|\.(?:md|mdx|rst|adoc|markdown)$"
        r"|(?:^|/)(?:readme|licen[cs]e|notice|authors|contributors|contributing|code_of_conduct|security"
        r"|support|citation|copying|mkdocs)[^/]*$",
    ),
)
_PATH_KINDS = tuple((kind, re.compile(pattern, re.IGNORECASE)) for kind, pattern in _PATHS)
_BUILD = frozenset({"ci", "ops", "tool", "dep", "lock"})
# Kinds that may make up most of the files.
_MAJORITIES = ("test", "doc", "ci", "ops")


@lru_cache(_CACHED)
def kind_of_path(path: str) -> str:
    """`ci`, `lock`, `dep` (manifests), `ops`, `tool`, `test`, `bench`, `version`, `log`, `doc` or `code`."""
    for kind, pattern in _PATH_KINDS:
        if pattern.search(path):
            return kind
    return "code"


@lru_cache(_CACHED)
def stem(word: str) -> str:
    """One form for `fix`, `fixes`, `fixed` and `fixing`: not always a word, but the same for all.

    >>> [stem(word) for word in ("fixes", "moving", "move", "dependencies", "adding", "process")]
    ['fix', 'mov', 'mov', 'dependency', 'add', 'process']
    """
    word = word.removesuffix("'s")
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith("es") and len(word) > 4:
        word = word[:-2]
    elif word.endswith("s") and not word.endswith("ss") and len(word) > 3:
        word = word[:-1]
    if word.endswith("ing") and len(word) > 5:
        word = word[:-3]
    elif word.endswith("ed") and not word.endswith("eed") and len(word) > 4:
        word = word[:-2]
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "ls":
        word = word[:-1]
    if len(word) > 3 and word.endswith("e"):
        word = word[:-1]
    return word


def stems(text: str) -> list[str]:
    """The stems of a text's words, in order."""
    return [stem(word) for word in _WORD.findall(text.lower())]


def features(title: str, paths: Sequence[str] | None) -> set[str]:
    """Words (`w:`), the first of them (`1:`), pairs (`b:`), whether a version is named, and files."""
    words = stems(title)
    names = {f"w:{word}" for word in words}
    names.update([f"b:{first} {second}" for first, second in pairwise(words)])
    if words:
        names.add(f"1:{words[0]}")
    if _NUMBERED.search(title):
        names.add("t:version")
    names.update(_file_features(paths))
    return names


def _file_features(paths: Sequence[str] | None) -> list[str]:
    """Kinds that occur (`any:`), the only kind (`all:`), the kind of most files, how many files."""
    if not paths:
        return ["nopaths"]
    counts = Counter([kind_of_path(path[-_LONGEST_PATH:]) for path in paths[:_MAX_PATHS]])
    kinds = counts.keys()
    names = [f"any:{kind}" for kind in kinds]
    if len(kinds) == 1:
        names.append(f"all:{next(iter(kinds))}")
    elif kinds <= {"doc", "log"}:
        names.append("all:doc")
    elif kinds <= {"version", "log", "doc", "dep", "lock"} and kinds & {"version", "log"}:
        names.append("all:release")
    if kinds <= _BUILD:
        names.append("all:build")
        if kinds <= {"dep", "lock"}:
            names.append("all:deps")
    if "code" not in kinds:
        names.append("nocode")
    if len(kinds) > 1:
        total = sum(counts.values())
        names += [f"most:{kind}" for kind in _MAJORITIES if counts[kind] * 2 > total]
    count = len(paths)
    names.append(
        f"n:{'1' if count == 1 else '2-3' if count < 4 else '4-10' if count < 11 else '11+'}"
    )
    return names
