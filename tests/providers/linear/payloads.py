"""Builders of Linear's webhook payloads, in each of their three generations.

Small and written by hand after linear.app/developers/webhooks; other tests may use them as well.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from lightfast_pipelines.providers.linear.webhooks.signature import sign

Json = dict[str, Any]

CREATED_AT = "2024-05-01T10:00:00.250Z"
CHANGED_AT = "2024-05-02T12:00:00.500Z"
SENT_AT = datetime(2024, 5, 2, 12, 0, 1, tzinfo=UTC)
ORGANIZATION = "org-1"
TEAM = {"id": "team-1", "key": "ENG", "name": "Engineering"}
STATES = {
    "backlog": "Backlog",
    "unstarted": "Todo",
    "started": "In Progress",
    "completed": "Done",
    "canceled": "Canceled",
}


def encoded(payload: Json) -> bytes:
    """A payload's body as Linear writes it."""
    return json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()


def delivery_headers(
    body: bytes, secret: bytes = b"secret", delivery_id: str = "d-1", **more: str
) -> dict[str, str]:
    """The headers (lower case) with which Linear would send `body`."""
    return {
        "content-type": "application/json; charset=utf-8",
        "linear-delivery": delivery_id,
        "linear-signature": sign(body, secret),
        **{name.replace("_", "-"): value for name, value in more.items()},
    }


def user(name: str = "Ada", user_id: str | None = None) -> Json:
    handle = name.lower()
    return {
        "id": user_id or f"user-{handle}",
        "name": name,
        "email": f"{handle}@acme.dev",
        "avatarUrl": f"https://avatars.linear.app/{handle}.png",
        "url": f"https://linear.app/acme/profiles/{handle}",
    }


def envelope(
    kind: str,
    action: str,
    data: Json,
    *,
    at: str | None = None,
    updated_from: Json | None = None,
    url: str | None = None,
    actor: Json | None = None,
    generation: int = 2026,
) -> Json:
    """`at` is the envelope's time; without it that of the entity's last change."""
    payload: Json = {
        "action": action,
        "type": kind,
        "createdAt": at or data.get("updatedAt") or CREATED_AT,
        "data": data,
    }
    if generation >= 2023:
        payload["organizationId"] = ORGANIZATION
        payload["webhookId"] = "hook-1"
        payload["webhookTimestamp"] = int(SENT_AT.timestamp() * 1000)
    if generation >= 2026:
        payload["actor"] = {"type": "user", **(actor or user("Grace"))}
    if updated_from is not None:
        payload["updatedFrom"] = updated_from
    if url is not None:
        payload["url"] = url
    return payload


def issue_data(
    number: int = 12,
    *,
    title: str = "Add a cart",
    state: str = "unstarted",
    priority: int = 2,
    assignee: str | None = None,
    project: str | None = None,
    updated_at: str = CREATED_AT,
    generation: int = 2026,
    **more: Any,
) -> Json:
    """The entity: old generations leave out what is null, the newest spells it out."""
    data: Json = {
        "id": f"issue-{number}",
        "createdAt": CREATED_AT,
        "updatedAt": updated_at,
        "number": number,
        "title": title,
        "priority": priority,
        "priorityLabel": ("No priority", "Urgent", "High", "Medium", "Low")[priority],
        "previousIdentifiers": [],
        "teamId": TEAM["id"],
        "team": dict(TEAM),
        "stateId": f"state-{state}",
        "state": {"id": f"state-{state}", "name": STATES[state], "type": state, "color": "#000"},
        "creatorId": "user-ada",
        "labelIds": [],
        "labels": [],
        "sortOrder": 1.5,
        "description": "It holds what will be bought.",
    }
    if assignee is not None:
        data |= {"assigneeId": user(assignee)["id"], "assignee": user(assignee)}
    if project is not None:
        data |= {"projectId": project, "project": {"id": project, "name": "Checkout"}}
    if generation >= 2026:
        absent = ("assigneeId", "projectId", "cycleId", "parentId", "estimate", "dueDate")
        data = dict.fromkeys(absent) | data
        data["identifier"] = f"ENG-{number}"
        data["url"] = f"https://linear.app/acme/issue/ENG-{number}"
        data["creator"] = user("Ada")
        data["branchName"] = f"ada/eng-{number}-add-a-cart"
    return data | more


def issue(
    action: str = "create",
    number: int = 12,
    *,
    at: str | None = None,
    updated_from: Json | None = None,
    generation: int = 2026,
    actor: Json | None = None,
    **more: Any,
) -> Json:
    """`more` goes to `issue_data`; `at` is when it was changed or removed."""
    moment = at or (CREATED_AT if action == "create" else CHANGED_AT)
    more = {"archivedAt" if action == "remove" else "updated_at": moment, **more}
    return envelope(
        "Issue",
        action,
        issue_data(number, generation=generation, **more),
        at=moment,
        updated_from=updated_from,
        url=None if action == "remove" else f"https://linear.app/acme/issue/ENG-{number}/a-cart",
        actor=actor,
        generation=generation,
    )


def issue_update(updated_from: Json, *, at: str = CHANGED_AT, **more: Any) -> Json:
    return issue("update", at=at, updated_from={"updatedAt": CREATED_AT, **updated_from}, **more)


def comment(
    action: str = "create",
    *,
    body: str = "The total is wrong.",
    updated_from: Json | None = None,
    team: bool = False,
    generation: int = 2026,
    **more: Any,
) -> Json:
    """A comment on ENG-12; with `team` its issue says which team it is in."""
    issue: Json = {"id": "issue-12", "title": "Add a cart"}
    if generation >= 2026:
        issue |= {"identifier": "ENG-12", "url": "https://linear.app/acme/issue/ENG-12"}
    if team:
        issue |= {"teamId": TEAM["id"], "team": dict(TEAM)}
    data = {
        "id": "comment-1",
        "createdAt": CREATED_AT,
        "updatedAt": CREATED_AT if action == "create" else CHANGED_AT,
        "body": body,
        "issueId": "issue-12",
        "issue": issue,
        "userId": "user-ada",
        "user": user("Ada"),
        **more,
    }
    return envelope(
        "Comment",
        action,
        data,
        at=CHANGED_AT if action == "remove" else None,
        updated_from=updated_from,
        url=None if action == "remove" else "https://linear.app/acme/issue/ENG-12/a-cart#comment-1",
        generation=generation,
    )


def reaction(action: str = "create", *, generation: int = 2026, **more: Any) -> Json:
    on: Json = {"id": "comment-1", "body": "The total is wrong.", "userId": "user-ada"}
    if generation >= 2026:
        on["issueId"] = "issue-12"
    data = {
        "id": "reaction-1",
        "createdAt": CREATED_AT,
        "updatedAt": CREATED_AT,
        "emoji": "heart",
        "userId": "user-grace",
        "user": user("Grace"),
        "comment": on,
        **more,
    }
    return envelope("Reaction", action, data, at=CHANGED_AT, generation=generation)


def attachment(
    action: str = "create",
    *,
    address: str = "https://github.com/Acme/shop/pull/7",
    updated_from: Json | None = None,
    generation: int = 2026,
    **more: Any,
) -> Json:
    data = {
        "id": "attachment-1",
        "createdAt": CREATED_AT,
        "updatedAt": CREATED_AT if action == "create" else CHANGED_AT,
        "url": address,
        "title": "Add a cart",
        "subtitle": "#7",
        "sourceType": "github",
        "metadata": {},
        "issueId": "issue-12",
        "creatorId": "user-ada",
        **more,
    }
    return envelope("Attachment", action, data, updated_from=updated_from, generation=generation)


def project(
    action: str = "create",
    *,
    status: str = "planned",
    updated_from: Json | None = None,
    generation: int = 2026,
    **more: Any,
) -> Json:
    data: Json = {
        "id": "project-1",
        "createdAt": CREATED_AT,
        "updatedAt": CREATED_AT if action == "create" else CHANGED_AT,
        "name": "Checkout",
        "description": "From cart to receipt.",
        "slugId": "0c0ffee0",
        "teamIds": ["team-1", "team-2"],
        "memberIds": ["user-ada"],
        "leadId": "user-ada",
        "creatorId": "user-grace",
    }
    if generation >= 2026:
        data["status"] = {"id": f"status-{status}", "name": status.title(), "type": status}
        data["statusId"] = f"status-{status}"
        data["lead"] = user("Ada")
    else:
        data["state"] = status
    return envelope(
        "Project",
        action,
        data | more,
        at=CHANGED_AT if action == "remove" else None,
        updated_from=updated_from,
        url="https://linear.app/acme/project/checkout-0c0ffee0",
        generation=generation,
    )


def project_update(
    action: str = "create",
    *,
    health: str = "onTrack",
    updated_from: Json | None = None,
    generation: int = 2026,
    **more: Any,
) -> Json:
    data = {
        "id": "update-1",
        "createdAt": CREATED_AT,
        "updatedAt": CREATED_AT if action == "create" else CHANGED_AT,
        "body": "The cart is done.",
        "health": health,
        "projectId": "project-1",
        "project": {"id": "project-1", "name": "Checkout"},
        "userId": "user-ada",
        "user": user("Ada"),
        **more,
    }
    return envelope(
        "ProjectUpdate",
        action,
        data,
        at=CHANGED_AT if action == "remove" else None,
        updated_from=updated_from,
        generation=generation,
    )


def cycle(
    action: str = "create",
    *,
    updated_from: Json | None = None,
    generation: int = 2026,
    **more: Any,
) -> Json:
    data = {
        "id": "cycle-1",
        "createdAt": CREATED_AT,
        "updatedAt": CREATED_AT if action == "create" else CHANGED_AT,
        "number": 3,
        "startsAt": "2024-05-02T00:00:00.000Z",
        "endsAt": "2024-05-16T00:00:00.000Z",
        "teamId": "team-1",
        **more,
    }
    return envelope(
        "Cycle",
        action,
        data,
        at=CHANGED_AT if action == "remove" else None,
        updated_from=updated_from,
        generation=generation,
    )


def label(
    action: str = "create",
    *,
    updated_from: Json | None = None,
    generation: int = 2026,
    **more: Any,
) -> Json:
    data = {
        "id": "label-1",
        "createdAt": CREATED_AT,
        "updatedAt": CREATED_AT if action == "create" else CHANGED_AT,
        "name": "Bug",
        "color": "#eb5757",
        "creatorId": "user-ada",
        **more,
    }
    return envelope(
        "IssueLabel",
        action,
        data,
        at=CHANGED_AT if action == "remove" else None,
        updated_from=updated_from,
        generation=generation,
    )
