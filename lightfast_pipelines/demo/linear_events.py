"""Linear's webhooks, as far as the story needs them (linear.app/developers/webhooks).

`webhookTimestamp`, the time of sending, is added when they are sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lightfast_pipelines.demo.cast import Board, Person, name_uuid
from lightfast_pipelines.demo.github_events import NumberedItem
from lightfast_pipelines.demo.stage import StoryEvent

_STATES = {
    "Todo": "unstarted",
    "In Progress": "started",
    "In Review": "started",
    "Done": "completed",
}
_PRIORITIES = ("No priority", "Urgent", "High", "Medium", "Low")


@dataclass(frozen=True, slots=True)
class Ticket:
    """An issue: what stays the same over its events."""

    board: Board
    number: int
    author: Person
    created: datetime
    title: str
    description: str
    branch: str
    priority: int = 3
    project: str | None = None
    """The name of the project that it is part of."""

    @property
    def id(self) -> str:
        return name_uuid(f"linear issue {self.board.day} {self.number}")

    @property
    def identifier(self) -> str:
        return f"{self.board.key}-{self.number}"

    @property
    def url(self) -> str:
        return f"https://linear.app/harbor-shop/issue/{self.identifier}"


def issue(
    ticket: Ticket,
    action: str,
    by: Person,
    at: datetime,
    *,
    state: str = "Todo",
    assignee: Person | None = None,
    was: dict[str, Any] | None = None,
) -> StoryEvent:
    """`was` holds the old values of what changed, besides the time of the change before."""
    data = {
        "id": ticket.id,
        "createdAt": _stamp(ticket.created),
        "updatedAt": _stamp(at),
        "completedAt": _stamp(at) if _STATES[state] == "completed" else None,
        "number": ticket.number,
        "identifier": ticket.identifier,
        "title": ticket.title,
        "description": ticket.description,
        "priority": ticket.priority,
        "priorityLabel": _PRIORITIES[ticket.priority],
        "previousIdentifiers": [],
        "teamId": ticket.board.team["id"],
        "team": ticket.board.team,
        "stateId": _state_id(ticket.board, state),
        "state": {"id": _state_id(ticket.board, state), "name": state, "type": _STATES[state]},
        "creatorId": ticket.author.member["id"],
        "creator": ticket.author.member,
        "assigneeId": assignee.member["id"] if assignee else None,
        "assignee": assignee.member if assignee else None,
        "labelIds": [],
        "labels": [],
        "branchName": ticket.branch,
        "url": ticket.url,
    }
    if ticket.project is not None:
        identity = name_uuid(f"linear project {ticket.board.day} {ticket.project}")
        page = f"https://linear.app/harbor-shop/project/{identity[:12]}"
        data |= {
            "projectId": identity,
            "project": {"id": identity, "name": ticket.project, "url": page},
        }
    more: dict[str, Any] = {"url": ticket.url}
    if was is not None:
        more["updatedFrom"] = {"updatedAt": _stamp(ticket.created), **was}
    return _event(ticket.board, "Issue", action, data, by, at, more)


def moved(
    ticket: Ticket, by: Person, at: datetime, assignee: Person, *, before: str, state: str
) -> StoryEvent:
    """An issue goes from one state of its board to another."""
    was = {"stateId": _state_id(ticket.board, before)}
    return issue(ticket, "update", by, at, state=state, assignee=assignee, was=was)


def comment(ticket: Ticket, by: Person, at: datetime, text: str) -> StoryEvent:
    identity = name_uuid(f"{ticket.id} {_stamp(at)}")
    data = {
        "id": identity,
        "createdAt": _stamp(at),
        "updatedAt": _stamp(at),
        "body": text,
        "issueId": ticket.id,
        "issue": {
            "id": ticket.id,
            "identifier": ticket.identifier,
            "title": ticket.title,
            "url": ticket.url,
            "teamId": ticket.board.team["id"],
            "team": ticket.board.team,
        },
        "userId": by.member["id"],
        "user": by.member,
    }
    more = {"url": f"{ticket.url}#comment-{identity[:8]}"}
    return _event(ticket.board, "Comment", "create", data, by, at, more)


def attachment(
    ticket: Ticket, by: Person, at: datetime, *, url: str, title: str, source: str, **metadata: str
) -> StoryEvent:
    """A page that is linked to an issue; `source` is the site it belongs to: github, sentry."""
    data = {
        "id": name_uuid(f"{ticket.id} {url}"),
        "createdAt": _stamp(at),
        "updatedAt": _stamp(at),
        "url": url,
        "title": title,
        "sourceType": source,
        "metadata": metadata,
        "issueId": ticket.id,
        "creatorId": by.member["id"],
        "creator": by.member,
    }
    return _event(ticket.board, "Attachment", "create", data, by, at, {})


def linked_pull(ticket: Ticket, by: Person, at: datetime, pull: NumberedItem) -> StoryEvent:
    """A pull request is linked to an issue."""
    title = f"#{pull.number} {pull.title}"
    return attachment(ticket, by, at, url=pull.url("pull"), title=title, source="github")


def _event(
    board: Board,
    kind: str,
    action: str,
    data: dict[str, Any],
    by: Person,
    at: datetime,
    more: dict[str, Any],
) -> StoryEvent:
    payload = {
        "action": action,
        "type": kind,
        "actor": {"type": "user", **by.member},
        "createdAt": _stamp(at),
        "data": data,
        "organizationId": board.organization_id,
        "webhookId": name_uuid(f"linear webhook {board.day}"),
        **more,
    }
    return StoryEvent("linear", kind, at, payload)


def _state_id(board: Board, state: str) -> str:
    return name_uuid(f"linear state {board.day} {state}")


def _stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.000Z")
