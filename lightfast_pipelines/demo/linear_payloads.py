"""Bodies of Linear's webhooks, as far as the story needs them (linear.app/developers/webhooks).

`webhookTimestamp`, the time of sending, is written into them only when they are sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lightfast_pipelines.demo.cast import Board, Person, name_uuid

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

    @property
    def id(self) -> str:
        return name_uuid(f"linear issue {self.board.day} {self.number}")

    @property
    def identifier(self) -> str:
        return f"{self.board.key}-{self.number}"

    @property
    def url(self) -> str:
        return f"https://linear.app/harbor-shop/issue/{self.identifier}"


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def issue(
    ticket: Ticket,
    action: str,
    by: Person,
    at: datetime,
    *,
    state: str = "Todo",
    assignee: Person | None = None,
    was: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """`was` are the old values of what changed, beside the time of the change before."""
    data = {
        "id": ticket.id,
        "createdAt": stamp(ticket.created),
        "updatedAt": stamp(at),
        "completedAt": stamp(at) if _STATES[state] == "completed" else None,
        "number": ticket.number,
        "identifier": ticket.identifier,
        "title": ticket.title,
        "description": ticket.description,
        "priority": ticket.priority,
        "priorityLabel": _PRIORITIES[ticket.priority],
        "previousIdentifiers": [],
        "teamId": ticket.board.team["id"],
        "team": ticket.board.team,
        "stateId": state_id(ticket.board, state),
        "state": {
            "id": state_id(ticket.board, state),
            "name": state,
            "type": _STATES[state],
        },
        "creatorId": ticket.author.member["id"],
        "creator": ticket.author.member,
        "assigneeId": assignee.member["id"] if assignee else None,
        "assignee": assignee.member if assignee else None,
        "labelIds": [],
        "labels": [],
        "branchName": ticket.branch,
        "url": ticket.url,
    }
    found = _envelope(ticket.board, "Issue", action, data, by, at, ticket.url)
    if was is None:
        return found
    return {**found, "updatedFrom": {"updatedAt": stamp(ticket.created), **was}}


def state_id(board: Board, state: str) -> str:
    return name_uuid(f"linear state {board.day} {state}")


def comment(ticket: Ticket, by: Person, at: datetime, text: str) -> dict[str, Any]:
    identity = name_uuid(f"{ticket.id} {stamp(at)}")
    data = {
        "id": identity,
        "createdAt": stamp(at),
        "updatedAt": stamp(at),
        "body": text,
        "issueId": ticket.id,
        "issue": _short(ticket),
        "userId": by.member["id"],
        "user": by.member,
    }
    page = f"{ticket.url}#comment-{identity[:8]}"
    return _envelope(ticket.board, "Comment", "create", data, by, at, page)


def attachment(
    ticket: Ticket,
    by: Person,
    at: datetime,
    *,
    url: str,
    title: str,
    source: str,
    **metadata: str,
) -> dict[str, Any]:
    """A page that is linked to an issue; `source` says whose: github, sentry."""
    data = {
        "id": name_uuid(f"{ticket.id} {url}"),
        "createdAt": stamp(at),
        "updatedAt": stamp(at),
        "url": url,
        "title": title,
        "sourceType": source,
        "metadata": metadata,
        "issueId": ticket.id,
        "creatorId": by.member["id"],
        "creator": by.member,
    }
    return _envelope(ticket.board, "Attachment", "create", data, by, at)


def _short(ticket: Ticket) -> dict[str, Any]:
    return {
        "id": ticket.id,
        "identifier": ticket.identifier,
        "title": ticket.title,
        "url": ticket.url,
        "teamId": ticket.board.team["id"],
        "team": ticket.board.team,
    }


def _envelope(
    board: Board,
    kind: str,
    action: str,
    data: dict[str, Any],
    by: Person,
    at: datetime,
    url: str | None = None,
) -> dict[str, Any]:
    found = {
        "action": action,
        "type": kind,
        "actor": {"type": "user", **by.member},
        "createdAt": stamp(at),
        "data": data,
        "organizationId": board.organization_id,
        "webhookId": name_uuid(f"linear webhook {board.day}"),
    }
    return {**found, "url": url} if url else found
