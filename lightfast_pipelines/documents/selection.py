"""Decides which files of a repository are documents: by the workspace's settings, else by its own file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lightfast_pipelines.documents.repository import Repository
from lightfast_pipelines.domain.document_config import (
    CONFIG_FILES,
    MOST_BYTES,
    ConfigError,
    parse_config,
    patterns_of_settings,
)
from lightfast_pipelines.domain.document_patterns import DocumentPatterns
from lightfast_pipelines.providers.files_contract import BranchHead, TreeEntry
from lightfast_pipelines.store.documents import ConfigStatus

MOST_DOCUMENTS = 5_000
"""Documents of one repository: a search compares all parts of a workspace."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The files that are documents, and by what they were chosen.

    With the status `invalid` nothing is chosen, and what is stored stays.
    """

    status: ConfigStatus
    message: str
    asked: Mapping[str, Any] | None = None
    chosen: Mapping[str, TreeEntry] | None = None


def select(
    repository: Repository, head: BranchHead, entries: Mapping[str, TreeEntry], settings: Any
) -> Selection:
    """`settings` is `sync_config.documents`; if it is None, the file in the repository counts."""
    if settings is not None:
        source = "the integration's settings"
        try:
            patterns = patterns_of_settings(settings)
        except ConfigError as error:
            return Selection("invalid", f"{source}: {error}")
        return _chosen(source, patterns, entries)
    source = next((name for name in CONFIG_FILES if name in entries), "")
    if not source:
        message = (
            f"the repository has no file {CONFIG_FILES[0]} at its top (a link or a folder does not count), "
            "and no setting names documents"
        )
        return Selection("absent", message, {}, {})
    try:
        patterns = parse_config(_content(repository, head, entries[source]))
    except ConfigError as error:
        return Selection("invalid", f"{source}: {error}")
    return _chosen(source, patterns, entries)


def _content(repository: Repository, head: BranchHead, entry: TreeEntry) -> bytes:
    if entry.size > MOST_BYTES:
        raise ConfigError(f"it has {entry.size:,} bytes, more than {MOST_BYTES:,}")
    content = repository.content(entry, head.change.commit_sha)
    if content is None:
        raise ValueError(f"{entry.path} is listed, and missing when it is asked for")
    return content


def _chosen(source: str, patterns: DocumentPatterns, entries: Mapping[str, TreeEntry]) -> Selection:
    chosen = {path: entry for path, entry in entries.items() if patterns.holds(path)}
    if len(chosen) > MOST_DOCUMENTS:
        return Selection(
            "invalid",
            f"{source}: its patterns name {len(chosen):,} files, more than {MOST_DOCUMENTS:,}: "
            "narrow them",
        )
    asked = {"include": list(patterns.include), "exclude": list(patterns.exclude)}
    return Selection("ok", f"{len(chosen):,} files named by {source}", asked, chosen)
