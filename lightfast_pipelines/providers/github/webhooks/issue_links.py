"""`sub_issues` and `issue_dependencies`: sub-issues and blocking issues.

One change comes as two deliveries, one for each issue, which state the same fact. The payloads have no
time of their own; the time of the issue that changed last is the nearest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import (
    ENDING_REASON,
    Edge,
    Reading,
    StateChange,
    Statement,
    Thing,
    Understood,
)
from lightfast_pipelines.providers.fields import (
    Missing,
    child,
    content_of,
    latest,
    moment_key,
    needed_child,
    text,
    time,
    titled,
    url,
    whole,
)
from lightfast_pipelines.providers.github.accounts import account
from lightfast_pipelines.providers.github.webhooks.item_kinds import ISSUE
from lightfast_pipelines.providers.github.webhooks.outcomes import unknown_action
from lightfast_pipelines.providers.github.webhooks.repository import (
    Repository,
    default_branch,
    full_name,
    repository_id,
    repository_of,
)
from lightfast_pipelines.providers.github.webhooks.statement_builder import GitHubStatementBuilder
from lightfast_pipelines.providers.webhook_contract import EventRule


@dataclass(frozen=True, slots=True)
class _Link:
    """The names of the two issues in a payload. `subject` is the subject of the statement."""

    event: str
    subject: str
    other: str
    name: str
    tag: str
    words: str
    added: tuple[str, str]
    removed: tuple[str, str]

    def edge(self, subject: Thing, other: Thing) -> Edge:
        return (
            Edge(subject, "parent", other)
            if self.event == "sub_issues"
            else Edge(other, "blocks", subject)
        )

    def state_type(self, other: Thing) -> str:
        """An issue has one parent, but several issues may block it."""
        return "parent" if self.event == "sub_issues" else f"blocked_by:{other.key}"


_LINKS = {
    "sub_issues": _Link(
        "sub_issues",
        "sub_issue",
        "parent_issue",
        "parent",
        "Issue Parent",
        "Parent",
        ("parent_issue_added", "sub_issue_added"),
        ("parent_issue_removed", "sub_issue_removed"),
    ),
    "issue_dependencies": _Link(
        "issue_dependencies",
        "blocked_issue",
        "blocking_issue",
        "blocked-by",
        "Issue Dependency",
        "Blocked by",
        ("blocked_by_added", "blocking_added"),
        ("blocked_by_removed", "blocking_removed"),
    ),
}
RULES = tuple(
    EventRule(
        link.event,
        action,
        "delivered",
        (f"issue.{link.name}-{change}",),
        "both issues' deliveries become one observation",
    )
    for link in _LINKS.values()
    for change, actions in (("added", link.added), ("removed", link.removed))
    for action in actions
)


def reader(event: str) -> Callable[[Mapping[str, Any]], Reading]:
    """The reader for one of the two events; the reader raises Missing."""
    link = _LINKS[event]

    def read(payload: Mapping[str, Any]) -> Reading:
        action = text(payload, "action") or ""
        if action not in (*link.added, *link.removed):
            return unknown_action(event, action)
        return Understood((_statement(payload, link, is_added=action in link.added),))

    return read


def _statement(payload: Mapping[str, Any], link: _Link, *, is_added: bool) -> Statement:
    item = needed_child(payload, link.subject)
    repository, subject = _issue(payload, link.subject)
    other_repository, other = _issue(payload, link.other)
    at = latest(time(item, "updated_at"), time(child(payload, link.other), "updated_at"))
    if at is None:
        raise Missing(f"{link.subject}.updated_at")
    change = "added" if is_added else "removed"
    shown = other.name or other.key
    builder = GitHubStatementBuilder(repository, subject)
    builder.refer("issue", f"#{whole(item, 'number')}", subject.url)
    builder.refer(
        "issue", _shown_in(repository, other_repository, other), other.url, link.words.lower()
    )
    builder.mention(other)
    if is_added:
        builder.edges.append(link.edge(subject, other))
    author = account(item.get("user"))
    return builder.build(
        source_id=keys.source_id(
            subject.key, f"{link.name}-{change}", f"{other.key}@{moment_key(at)}"
        ),
        source_type=f"issue.{link.name}-{change}",
        occurred_at=at,
        title=titled(f"{link.tag} {change.title()}", text(item, "title")),
        content=content_of(f"{link.words}: {shown}"),
        base_significance=15 if is_added else 10,
        actor=account(payload.get("sender")),
        author=author,
        states=(
            # An issue that moves from one parent to another is removed and added in the same moment.
            StateChange(
                subject,
                link.state_type(other),
                other.key,
                at,
                1 if is_added else 2,
                f"{link.name}-added" if is_added else ENDING_REASON,
                {"name": shown},
            ),
        ),
        metadata={
            "number": whole(item, "number"),
            "action": f"{link.name}-{change}",
            "other": other.key,
        },
        updated_at=at,
        link_text="",
    )


def _shown_in(repository: Repository, other_repository: Repository, issue: Thing) -> str:
    """`#5`, or `owner/repo#5` for an issue of another repository."""
    number = issue.key.rpartition("#")[2]
    if other_repository.id == repository.id:
        return f"#{number}"
    return f"{other_repository.full_name or other_repository.id}#{number}"


def _issue(payload: Mapping[str, Any], side: str) -> tuple[Repository, Thing]:
    """The issue on one side and its repository: the delivery's own if the payload names none."""
    issue = needed_child(payload, side)
    stated = child(payload, f"{side}_repo")
    identity = repository_id({"repository": stated})
    repository = (
        repository_of(payload)
        if identity is None
        else Repository(identity, full_name(stated), url(stated), default_branch(stated))
    )
    return repository, ISSUE.entity(repository, issue)[1]
