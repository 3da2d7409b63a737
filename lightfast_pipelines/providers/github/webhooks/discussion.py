"""`discussion`: created, answered, unanswered, closed, reopened, deleted, transferred.

Comments are events of their own; `changes` reads smaller changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightfast_pipelines.domain.events import Filtered, Reading, Statement, Understood
from lightfast_pipelines.providers.fields import child, content_of, name_of, needed_child, text, url
from lightfast_pipelines.providers.github.webhooks import changes, item_kinds
from lightfast_pipelines.providers.github.webhooks.movable_item import movable_item
from lightfast_pipelines.providers.github.webhooks.outcomes import (
    delivered,
    not_kept,
    unknown_action,
)
from lightfast_pipelines.providers.github.webhooks.transition import ItemTransition

_TRANSITIONS = {
    "created": ItemTransition("created", "Discussion Created", "created_at", "open", 1, 35),
    "reopened": ItemTransition("reopened", "Discussion Reopened", "updated_at", "open", 2, 35),
    "unanswered": ItemTransition(
        "unanswered", "Discussion Unanswered", "updated_at", "open", 2, 35
    ),
    "answered": ItemTransition(
        "answered", "Discussion Answered", "answer_chosen_at", "answered", 3, 40
    ),
    "closed": ItemTransition("closed", "Discussion Closed", "closed_at", "closed", 4, 35),
    "deleted": ItemTransition("deleted", "Discussion Deleted", "updated_at", "closed", 4, 30),
    "transferred": ItemTransition(
        "transferred", "Discussion Transferred", "updated_at", "closed", 4, 30
    ),
}
_NOT_KEPT = frozenset({"pinned", "unpinned"})
RULES = (
    *delivered("discussion", "discussion", _TRANSITIONS),
    *changes.rules(item_kinds.DISCUSSION),
    *not_kept("discussion", _NOT_KEPT),
)


def read(payload: Mapping[str, Any]) -> Reading:
    """Raises Missing if the payload has no discussion, repository or time."""
    action = text(payload, "action")
    if action in _NOT_KEPT:
        return Filtered(f"action {action} is not kept")
    if changes.is_change(item_kinds.DISCUSSION, action):
        return changes.read(item_kinds.DISCUSSION, payload)
    discussion = needed_child(payload, "discussion")
    transition = _TRANSITIONS.get(action or "")
    if transition is None:
        return unknown_action("discussion", action)
    return Understood((_statement(payload, discussion, transition),))


def _statement(
    payload: Mapping[str, Any], discussion: Mapping[str, Any], transition: ItemTransition
) -> Statement:
    item = movable_item(item_kinds.DISCUSSION, payload, discussion, transition)
    category = name_of(child(discussion, "category"), "name")
    if category:
        item.builder.refer("label", category)
    answer = child(payload, "answer") if transition.name == "answered" else {}
    item.builder.add_people("answerer", [answer.get("user")])
    label_names = item.builder.add_labels(discussion)
    answer_text = text(answer, "body")
    reason = name_of(discussion, "state_reason") if transition.name == "closed" else None
    return item.build(
        reason=reason,
        is_reason_kept=transition.state == "closed",
        content=content_of(
            item.title, text(discussion, "body"), f"Answer: {answer_text}" if answer_text else None
        ),
        facts={
            "category": category,
            "answered": url(discussion, "answer_html_url") is not None or bool(answer),
            "answerUrl": url(answer) or url(discussion, "answer_html_url"),
            "stateReason": reason,
            "labels": label_names,
        },
    )
