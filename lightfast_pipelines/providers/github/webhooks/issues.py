"""`issues`: opened, closed, reopened, deleted, transferred; `changes` reads smaller changes.

Closing words mean nothing in an issue's own text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightfast_pipelines.domain.events import Filtered, Reading, Statement, Understood
from lightfast_pipelines.providers.fields import child, content_of, name_of, needed_child, text
from lightfast_pipelines.providers.github.webhooks import changes, item_kinds
from lightfast_pipelines.providers.github.webhooks.movable_item import movable_item
from lightfast_pipelines.providers.github.webhooks.outcomes import (
    delivered,
    not_kept,
    unknown_action,
)
from lightfast_pipelines.providers.github.webhooks.transition import ItemTransition

# An issue that is deleted or moved away counts as closed in this repository, for that reason.
_TRANSITIONS = {
    "opened": ItemTransition("opened", "Issue Opened", "created_at", "open", 1, 45),
    "closed": ItemTransition("closed", "Issue Closed", "closed_at", "closed", 4, 40),
    "reopened": ItemTransition("reopened", "Issue Reopened", "updated_at", "open", 2, 40),
    "deleted": ItemTransition("deleted", "Issue Deleted", "updated_at", "closed", 4, 35),
    "transferred": ItemTransition(
        "transferred", "Issue Transferred", "updated_at", "closed", 4, 35
    ),
}
_NOT_KEPT = frozenset({"pinned", "unpinned"})
RULES = (
    *delivered("issues", "issue", _TRANSITIONS),
    *changes.rules(item_kinds.ISSUE, item_kinds.PULL_REQUEST_AS_ISSUE),
    *not_kept("issues", _NOT_KEPT),
)


def read(payload: Mapping[str, Any]) -> Reading:
    """Raises Missing if the payload has no issue, repository or time."""
    action = text(payload, "action")
    if action in _NOT_KEPT:
        return Filtered(f"action {action} is not kept")
    issue = needed_child(payload, "issue")
    if child(issue, "pull_request"):
        if changes.is_change(item_kinds.PULL_REQUEST_AS_ISSUE, action):
            return changes.read(item_kinds.PULL_REQUEST_AS_ISSUE, payload)
        return Filtered("the issue is a pull request, which has events of its own")
    if changes.is_change(item_kinds.ISSUE, action):
        return changes.read(item_kinds.ISSUE, payload)
    transition = _TRANSITIONS.get(action or "")
    if transition is None:
        return unknown_action("issues", action)
    return Understood((_statement(payload, issue, transition),))


def _statement(
    payload: Mapping[str, Any], issue: Mapping[str, Any], transition: ItemTransition
) -> Statement:
    item = movable_item(item_kinds.ISSUE, payload, issue, transition)
    item.builder.add_assignees(issue)
    label_names = item.builder.add_labels(issue)
    item.builder.add_milestone(issue)
    is_closed = transition.state == "closed"
    reason = name_of(issue, "state_reason") if transition.name == "closed" else transition.name
    return item.build(
        reason=reason,
        is_reason_kept=is_closed and reason is not None,
        content=content_of(item.title, text(issue, "body")),
        facts={
            "state": name_of(issue, "state"),
            "stateReason": reason if is_closed else None,
            "labels": label_names,
        },
    )
