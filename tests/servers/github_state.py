"""The state of an issue or pull request at a moment, from its changes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from tests.servers.github_records import Change, Issue, PullRequest


@dataclass(slots=True)
class State:
    """The state of an issue or pull request at a moment."""

    title: str
    updated_at: datetime
    draft: bool = False
    labels: list[str] = field(default_factory=list)
    assignees: list[str] = field(default_factory=list)
    reviewers: list[str] = field(default_factory=list)
    milestone: str | None = None
    lock: str | None = None
    locked: bool = False
    closed: Change | None = None
    merged: Change | None = None
    reason: str | None = None


def state_of(thing: Issue, at: datetime | None = None, touched: datetime | None = None) -> State:
    """`touched` is when somebody last wrote on it, which updates it as well."""
    state = State(thing.title, max(thing.created_at, touched or thing.created_at))
    state.draft = isinstance(thing, PullRequest) and thing.draft
    for change in thing.changes:
        if at is not None and change.at > at:
            break
        state.updated_at = max(state.updated_at, change.at)
        _apply(state, change)
    return state


def _apply(state: State, change: Change) -> None:
    value = change.value or ""
    match change.event:
        case "renamed":
            state.title = value
        case "labeled":
            state.labels = [*(one for one in state.labels if one != value), value]
        case "unlabeled":
            state.labels = [one for one in state.labels if one != value]
        case "assigned":
            state.assignees = [*(one for one in state.assignees if one != value), value]
        case "unassigned":
            state.assignees = [one for one in state.assignees if one != value]
        case "review_requested":
            state.reviewers = [*(one for one in state.reviewers if one != value), value]
        case "review_request_removed":
            state.reviewers = [one for one in state.reviewers if one != value]
        case "milestoned" | "demilestoned":
            state.milestone = value if change.event == "milestoned" else None
        case "ready_for_review" | "convert_to_draft":
            state.draft = change.event == "convert_to_draft"
        case "locked" | "unlocked":
            state.locked = change.event == "locked"
            state.lock = change.value if state.locked else None
        case "merged":
            state.merged = change
        case "closed":
            state.closed, state.reason = change, change.value or "completed"
        case "reopened":
            state.closed, state.reason = None, "reopened"
