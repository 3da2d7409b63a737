"""Whether a payload says that the files of the default branch may be others now, or have another address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightfast_pipelines.providers.fields import child, name_of, text
from lightfast_pipelines.providers.github.webhooks.repository import default_branch

_BRANCHES = "refs/heads/"
# What the branch points at after a deletion.
_NO_COMMIT = "0" * 40


def moves_files(event_type: str, payload: Mapping[str, Any]) -> bool:
    """True for a push onto the default branch, whatever it did there, and where another branch became
    the default or the repository got another name."""
    if event_type == "push":
        ref = name_of(payload, "ref") or ""
        branch = default_branch(child(payload, "repository"))
        # Without a default branch in the payload it may be any branch.
        return ref.startswith(_BRANCHES) and branch in (None, ref.removeprefix(_BRANCHES))
    if event_type == "repository":
        action = text(payload, "action")
        is_other_branch = "default_branch" in child(payload, "changes")
        return action in ("renamed", "transferred") or (action == "edited" and is_other_branch)
    return False


def pushed_commit(event_type: str, payload: Mapping[str, Any]) -> str | None:
    """The commit that a push made the head of its branch; None for a deletion."""
    head = name_of(payload, "after") if event_type == "push" else None
    return None if head is None or head.startswith(_NO_COMMIT) else head.lower()
