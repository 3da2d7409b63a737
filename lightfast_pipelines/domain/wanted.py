"""Decides what an integration wants: compares its settings with an event's kind, branch and files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from lightfast_pipelines.domain.events import Statement


def refuse_event(
    event: str, sync_config: Mapping[str, Any], default_events: frozenset[str]
) -> str | None:
    """The reason why an event of this kind is not wanted; None if it is wanted.

    `events`: absent means the provider's defaults, empty means none. `autoSync`: false means that
    nothing is wanted.
    """
    if sync_config.get("autoSync") is False:
        return "sync_off"
    events = sync_config.get("events")
    wanted = default_events if events is None else events
    return None if event in wanted else f"event {event} is not wanted"


def choose_statements(
    statements: Sequence[Statement],
    sync_config: Mapping[str, Any],
    default_branch: str | None,
) -> tuple[tuple[Statement, ...], str | None]:
    """The statements on a wanted branch with a wanted file; if there are none, the reason.

    `branches` (patterns): absent means the default branch (any, if it is unknown). `paths` (patterns):
    absent means all, otherwise at least one changed file must match. A statement without a branch or
    files passes.
    """
    branches = sync_config.get("branches")
    paths = sync_config.get("paths")
    kept = []
    reason = None
    for statement in statements:
        if statement.branch is not None:
            patterns = [default_branch or statement.branch] if branches is None else branches
            if not any(fnmatchcase(statement.branch, pattern) for pattern in patterns):
                reason = f"branch {statement.branch} is not wanted"
                continue
        files = statement.paths
        if paths is not None and files is not None and not _any_matches(files, paths):
            reason = "no changed file is in the wanted paths"
            continue
        kept.append(statement)
    return tuple(kept), None if kept else reason


def _any_matches(paths: Sequence[str], patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(path, pattern) for path in paths for pattern in patterns)
