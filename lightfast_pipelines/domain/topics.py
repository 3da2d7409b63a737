"""Topics of an observation: its category, scope and labels, a folder, and words of its title."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from lightfast_pipelines.domain.classification import Classification
from lightfast_pipelines.domain.events import Statement
from lightfast_pipelines.domain.stop_words import STOP_WORDS

_MAX_KEYWORDS = 4
_MAX_TOPICS = 12
_MAX_PATHS = 200
# A folder is a topic if at least this share of the files is in it.
_SHARE = 2 / 3
# Folders that say how a repository is laid out, not what the work is about.
_LAYOUT_NAMES = """
api app apps assets backend base bin build client cmd code common components conf config configs
content contents core css data deploy devops dist doc docs e2e example examples fixtures frontend
help helpers hooks html images img impl include input integration internal java javascript js
kotlin layout lib libs main migrations misc model models module modules node_modules output
package packages page pages pkg plugin plugins private project projects public python resources
routes ruby rust schema schemas scripts server service services settings shared site source
sources spec specs src static style styles suite tasks template templates test testdata testing
tests tools ts types ui unit util utils vendor views web website workflows
"""
_LAYOUT = frozenset(_LAYOUT_NAMES.split())


def topics_of(
    statement: Statement, classification: Classification, words: Sequence[str]
) -> tuple[str, ...]:
    """At most 12 distinct topics in lower case, the most significant first.

    `words` are the title's, in order; a bracketed tag before the title (`[PR Merged]`) is left out.
    """
    topics: dict[str, None] = {}
    if classification.is_certain:
        topics[classification.category] = None
    if classification.prefix is not None and classification.prefix.scope:
        topics[classification.prefix.scope] = None
    for reference in statement.references:
        if reference.type == "label":
            label = (reference.label or reference.id).strip().lower()
            if label:
                topics[label] = None
    for category in classification.secondary:
        topics[category] = None
    folder = folder_of(statement.paths or ())
    if folder is not None and not _is_repository(statement, folder):
        topics[folder] = None
    keywords = 0
    for marked in words:
        word = marked.strip("_")
        if keywords == _MAX_KEYWORDS:
            break
        if len(word) > 2 and word not in STOP_WORDS and not word.isdigit() and word not in topics:
            topics[word] = None
            keywords += 1
    if statement.source in topics:
        topics.pop(statement.source)
        topics[statement.source] = None
    return tuple(topics)[:_MAX_TOPICS]


def folder_of(paths: Sequence[str]) -> str | None:
    """The innermost folder with a telling name that has two thirds of the files; None if none has.

    >>> folder_of(["plugins/jira/tasks/a.go", "plugins/jira/models/b.go", "go.mod"])
    'jira'
    """
    counts: Counter[str] = Counter()
    chosen = paths[:_MAX_PATHS]
    for path in chosen:
        folder, _, _ = path.rpartition("/")
        while folder:
            counts[folder] += 1
            folder = folder.rpartition("/")[0]
    shared = [folder for folder, count in counts.items() if count >= _SHARE * len(chosen)]
    for folder in sorted(shared, key=lambda folder: (-folder.count("/"), folder)):
        name = folder.rpartition("/")[2].lower()
        is_telling = len(name) > 2 and name[0].isalpha() and name not in _LAYOUT
        if is_telling and name not in STOP_WORDS and len(name) <= 40:
            return name
    return None


def _is_repository(statement: Statement, folder: str) -> bool:
    """Whether the folder is named like its repository, which says nothing about the work."""
    scope = statement.scope
    return scope is not None and scope.repository_name.rpartition("/")[2].lower() == folder
