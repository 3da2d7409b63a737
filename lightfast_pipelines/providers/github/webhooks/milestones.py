"""`milestone`: created, closed, reopened, edited, deleted.

Issues and pull requests name their milestone in their own events.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import (
    Reading,
    StateChange,
    Thing,
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
    titled,
    url,
    whole,
)
from lightfast_pipelines.providers.github import keys as github_keys
from lightfast_pipelines.providers.github.accounts import account
from lightfast_pipelines.providers.github.webhooks.outcomes import delivered, unknown_action
from lightfast_pipelines.providers.github.webhooks.repository import repository_of
from lightfast_pipelines.providers.github.webhooks.statement_builder import GitHubStatementBuilder
from lightfast_pipelines.providers.github.webhooks.transition import ItemTransition

_TRANSITIONS = {
    "created": ItemTransition("created", "Milestone Created", "created_at", "open", 1, 30),
    "opened": ItemTransition("reopened", "Milestone Reopened", "updated_at", "open", 2, 30),
    "closed": ItemTransition("closed", "Milestone Closed", "closed_at", "closed", 4, 40),
    "edited": ItemTransition("edited", "Milestone Edited", "updated_at", "", 0, 12),
    "deleted": ItemTransition("deleted", "Milestone Deleted", "updated_at", "closed", 4, 25),
}
RULES = delivered("milestone", "milestone", _TRANSITIONS)


def read(payload: Mapping[str, Any]) -> Reading:
    """Raises Missing if the payload has no milestone, repository or time."""
    transition = _TRANSITIONS.get(text(payload, "action") or "")
    if transition is None:
        return unknown_action("milestone", payload.get("action"))
    repository, milestone = repository_of(payload), needed_child(payload, "milestone")
    number = whole(milestone, "number")
    if number is None:
        raise Missing("milestone.number")
    at = first_time(milestone, transition.time, "updated_at", "created_at")
    if at is None:
        raise Missing(f"milestone.{transition.time}")
    title = text(milestone, "title") or f"#{number}"
    subject = Thing(github_keys.milestone(repository.id, number), title[:200], url(milestone))
    is_deletion = transition.name == "deleted"
    states = []
    if transition.state:
        reason = transition.name
        states.append(StateChange(subject, "status", transition.state, at, transition.rank, reason))
    if is_deletion:
        states.append(deletion(subject, at))
    author, due = account(milestone.get("creator")), name_of(milestone, "due_on")
    builder = GitHubStatementBuilder(repository, subject)
    builder.refer("milestone", f"#{number}", subject.url)
    statement = builder.build(
        source_id=keys.source_id(
            subject.key, transition.name, None if is_deletion else moment_key(at)
        ),
        source_type=f"milestone.{transition.name}",
        occurred_at=at,
        title=titled(transition.tag, title),
        content=content_of(title, text(milestone, "description")),
        base_significance=transition.weight,
        actor=account(payload.get("sender")),
        author=author,
        states=tuple(states),
        metadata={
            "milestoneNumber": number,
            "action": transition.name,
            "state": name_of(milestone, "state"),
            "dueOn": due,
            "openIssues": whole(milestone, "open_issues"),
            "closedIssues": whole(milestone, "closed_issues"),
            "changed": sorted(child(payload, "changes")) or None,
            "authorLogin": author and author.username,
        },
        updated_at=first_time(milestone, "updated_at", "created_at"),
    )
    return Understood((statement,))
