"""`issues`: opened, closed, reopened, deleted, transferred; smaller ones are told by `changes`.

Closing words mean nothing in an issue's own text; what it mentions is found elsewhere.
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

# An issue that is deleted or moved away is gone from this repository: closed, for that reason.
_TRANSITIONS = {
    "opened": Transition("opened", "Issue Opened", "created_at", "open", 1, 45),
    "closed": Transition("closed", "Issue Closed", "closed_at", "closed", 4, 40),
    "reopened": Transition("reopened", "Issue Reopened", "updated_at", "open", 2, 40),
    "deleted": Transition("deleted", "Issue Deleted", "updated_at", "closed", 4, 35),
    "transferred": Transition("transferred", "Issue Transferred", "updated_at", "closed", 4, 35),
}
_NOT_KEPT = frozenset({"pinned", "unpinned"})
RULES = (
    *(
        EventRule("issues", action, "delivered", (f"issue.{each.name}",))
        for action, each in _TRANSITIONS.items()
    ),
    *changes.rules(changed_item.ISSUE, changed_item.PULL_REQUEST_AS_ISSUE),
    *not_kept("issues", _NOT_KEPT),
)


def read(payload: Mapping[str, Any]) -> Reading:
    """Raises Missing where the payload has no issue, repository or time to speak of."""
    action = text(payload, "action")
    if action in _NOT_KEPT:
        return Filtered(f"action {action} is not kept")
    issue = needed_child(payload, "issue")
    if child(issue, "pull_request"):
        if changes.is_change(changed_item.PULL_REQUEST_AS_ISSUE, action):
            return changes.read(changed_item.PULL_REQUEST_AS_ISSUE, payload)
        return Filtered("the issue is a pull request, which has events of its own")
    if changes.is_change(changed_item.ISSUE, action):
        return changes.read(changed_item.ISSUE, payload)
    transition = _TRANSITIONS.get(action or "")
    if transition is None:
        return Parked(f"action {str(action)[:100]} of issues is not known yet")
    return Understood((_statement(payload, issue, transition),))


def _statement(
    payload: Mapping[str, Any], issue: Mapping[str, Any], transition: Transition
) -> Statement:
    repository = repository_of(payload)
    number = whole(issue, "number")
    if number is None:
        raise Missing("issue.number")
    made_at = first_time(issue, transition.time, "updated_at", "created_at")
    if made_at is None:
        raise Missing(f"issue.{transition.time}")
    title = text(issue, "title") or ""
    key = keys.github_issue(repository.id, number)
    move = Move(child(payload, "changes"), "issue", keys.github_issue, "opened")
    subject = move.arrived(repository.numbered_thing(key, number, title, url(issue)))
    builder = GitHubStatementBuilder(repository, subject)
    builder.refer("issue", f"#{number}", subject.url)
    move.add_to(builder)
    builder.add_assignees(issue)
    label_names = builder.add_labels(issue)
    builder.add_milestone(issue)
    closed = transition.state == "closed"
    reason = name_of(issue, "state_reason") if transition.name == "closed" else transition.name
    author = account(issue.get("user"))
    # One that comes from elsewhere keeps the time of its making, and is here since it came.
    came_at = time(issue, "updated_at") if move.origin is not None else None
    at = came_at or made_at
    return builder.build(
        # It is deleted once, and a sweep that finds it gone does not know when.
        source_id=keys.source_id(
            subject.key,
            transition.name,
            None if transition.name == "deleted" else moment_key(made_at),
        ),
        source_type=f"issue.{transition.name}",
        occurred_at=at,
        title=titled(transition.tag, title),
        content=content_of(title, text(issue, "body")),
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
                metadata={"reason": reason} if closed and reason else {},
            ),
            *([deletion(subject, at)] if transition.name == "deleted" else []),
            *move.states(at),
        ),
        metadata={
            "issueNumber": number,
            "action": transition.name,
            "state": name_of(issue, "state"),
            "stateReason": reason if closed else None,
            "authorLogin": author and author.username,
            "authorId": author and author.source_id,
            "labels": label_names,
        },
        updated_at=first_time(issue, "updated_at", "created_at"),
        written_at=time(issue, "created_at"),
    )
