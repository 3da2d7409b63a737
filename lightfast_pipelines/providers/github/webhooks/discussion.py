"""`discussion`: created, answered, unanswered, closed, reopened, deleted, transferred.

Comments are events of their own; smaller changes are told by `changes`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import (
    Filtered,
    Parked,
    Reading,
    StateChange,
    Statement,
    Understood,
    deletion,
)
from lightfast_pipelines.providers.fields import (
    Missing,
    child,
    content_of,
    first_time,
    moment_key,
    name_of,
    needed_child,
    text,
    time,
    titled,
    url,
    whole,
)
from lightfast_pipelines.providers.github.accounts import account
from lightfast_pipelines.providers.github.webhooks import changed_item, changes
from lightfast_pipelines.providers.github.webhooks.moves import Move
from lightfast_pipelines.providers.github.webhooks.outcomes import not_kept
from lightfast_pipelines.providers.github.webhooks.repository import repository_of
from lightfast_pipelines.providers.github.webhooks.statement_builder import GitHubStatementBuilder
from lightfast_pipelines.providers.github.webhooks.transition import Transition
from lightfast_pipelines.providers.webhook_contract import EventRule

_TRANSITIONS = {
    "created": Transition("created", "Discussion Created", "created_at", "open", 1, 35),
    "reopened": Transition("reopened", "Discussion Reopened", "updated_at", "open", 2, 35),
    "unanswered": Transition("unanswered", "Discussion Unanswered", "updated_at", "open", 2, 35),
    "answered": Transition(
        "answered", "Discussion Answered", "answer_chosen_at", "answered", 3, 40
    ),
    "closed": Transition("closed", "Discussion Closed", "closed_at", "closed", 4, 35),
    "deleted": Transition("deleted", "Discussion Deleted", "updated_at", "closed", 4, 30),
    "transferred": Transition(
        "transferred", "Discussion Transferred", "updated_at", "closed", 4, 30
    ),
}
_NOT_KEPT = frozenset({"pinned", "unpinned"})
RULES = (
    *(
        EventRule("discussion", action, "delivered", (f"discussion.{each.name}",))
        for action, each in _TRANSITIONS.items()
    ),
    *changes.rules(changed_item.DISCUSSION),
    *not_kept("discussion", _NOT_KEPT),
)


def read(payload: Mapping[str, Any]) -> Reading:
    """Raises Missing where the payload has no discussion, repository or time to speak of."""
    action = text(payload, "action")
    if action in _NOT_KEPT:
        return Filtered(f"action {action} is not kept")
    if changes.is_change(changed_item.DISCUSSION, action):
        return changes.read(changed_item.DISCUSSION, payload)
    discussion = needed_child(payload, "discussion")
    transition = _TRANSITIONS.get(action or "")
    if transition is None:
        return Parked(f"action {str(action)[:100]} of discussion is not known yet")
    return Understood((_statement(payload, discussion, transition),))


def _statement(
    payload: Mapping[str, Any], discussion: Mapping[str, Any], transition: Transition
) -> Statement:
    repository = repository_of(payload)
    number = whole(discussion, "number")
    if number is None:
        raise Missing("discussion.number")
    made_at = first_time(discussion, transition.time, "updated_at", "created_at")
    if made_at is None:
        raise Missing(f"discussion.{transition.time}")
    title = text(discussion, "title") or ""
    key = keys.github_discussion(repository.id, number)
    move = Move(child(payload, "changes"), "discussion", keys.github_discussion, "created")
    subject = move.arrived(repository.numbered_thing(key, number, title, url(discussion)))
    category = name_of(child(discussion, "category"), "name")
    answer = child(payload, "answer") if transition.name == "answered" else {}
    answer_text = text(answer, "body")
    builder = GitHubStatementBuilder(repository, subject)
    builder.refer("discussion", f"#{number}", subject.url)
    move.add_to(builder)
    if category:
        builder.refer("label", category)
    builder.add_people("answerer", [answer.get("user")])
    label_names = builder.add_labels(discussion)
    author = account(discussion.get("user"))
    came_at = time(discussion, "updated_at") if move.origin is not None else None
    at = came_at or made_at
    reason = name_of(discussion, "state_reason") if transition.name == "closed" else None
    return builder.build(
        # It is deleted once, and a sweep that finds it gone does not know when.
        source_id=keys.source_id(
            subject.key,
            transition.name,
            None if transition.name == "deleted" else moment_key(made_at),
        ),
        source_type=f"discussion.{transition.name}",
        occurred_at=at,
        title=titled(transition.tag, title),
        content=content_of(
            title, text(discussion, "body"), f"Answer: {answer_text}" if answer_text else None
        ),
        base_significance=transition.weight,
        actor=account(payload.get("sender")),
        author=author,
        states=(
            StateChange(
                subject,
                "status",
                transition.state,
                at,
                transition.rank,
                reason=reason or transition.name,
                metadata={"reason": reason or transition.name}
                if transition.state == "closed"
                else {},
            ),
            *([deletion(subject, at)] if transition.name == "deleted" else []),
            *move.states(at),
        ),
        metadata={
            "discussionNumber": number,
            "action": transition.name,
            "category": category,
            "answered": url(discussion, "answer_html_url") is not None or bool(answer),
            "answerUrl": url(answer) or url(discussion, "answer_html_url"),
            "stateReason": reason,
            "authorLogin": author and author.username,
            "authorId": author and author.source_id,
            "labels": label_names,
        },
        updated_at=first_time(discussion, "updated_at", "created_at"),
        written_at=time(discussion, "created_at"),
    )
