"""The ground of a small organization at Linear: its people and teams, its clock, and its webhooks.

Items are dictionaries with the names of Linear's GraphQL schema.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

Json = dict[str, Any]

STATES = {
    "Triage": "triage",
    "Backlog": "backlog",
    "Todo": "unstarted",
    "In Progress": "started",
    "Done": "completed",
    "Canceled": "canceled",
}


def text_of(at: datetime) -> str:
    return f"{at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def _person(name: str) -> Json:
    handle = name.lower()
    return {
        "id": f"user-{handle}",
        "name": name,
        "email": f"{handle}@acme.dev",
        "avatarUrl": f"https://avatars.linear.app/{handle}.png",
        "url": f"https://linear.app/acme/profiles/{handle}",
        "app": False,
    }


def _shown(person: Json | None) -> Json | None:
    """A person as a webhook names one."""
    return person and {name: value for name, value in person.items() if name != "app"}


@dataclass
class LinearGround:
    """`sent` holds the webhooks in order; `now` advances with everything that is done."""

    seed: int = 0
    now: datetime = datetime(2024, 1, 8, 9, 0, 0, 250_000, tzinfo=UTC)
    sent: list[tuple[str, Json]] = field(default_factory=list)
    issues: list[Json] = field(default_factory=list)
    comments: list[Json] = field(default_factory=list)
    projects: list[Json] = field(default_factory=list)
    updates: list[Json] = field(default_factory=list)
    cycles: list[Json] = field(default_factory=list)
    organization: Json = field(default_factory=lambda: {"id": "org-1", "name": "Acme"})

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.people = [_person(name) for name in ("Ada", "Grace", "Alan", "Edsger")]
        self.bot = {
            "id": "bot-github",
            "type": "github",
            "name": "GitHub",
            "avatarUrl": None,
            "subType": None,
        }
        self.teams = [
            {"id": "team-1", "key": "ENG", "name": "Engineering", "archivedAt": None},
            {"id": "team-2", "key": "OPS", "name": "Operations", "archivedAt": None},
        ]
        for team in self.teams:
            team["createdAt"] = text_of(self.now)
        self.states = [
            {"id": f"state-{kind}", "name": name, "type": kind} for name, kind in STATES.items()
        ]
        self.labels = [
            {"id": f"label-{name.lower()}", "name": name} for name in ("Bug", "Feature", "Slow")
        ]
        self.milestones = [{"id": f"milestone-{n}", "name": f"M{n}"} for n in (1, 2)]
        self._numbers = {team["id"]: 0 for team in self.teams}

    def tick(self, seconds: float | None = None) -> str:
        """Some time later; no two things are done at one moment."""
        step = seconds if seconds is not None else self.random.randint(60_000, 7_200_000) / 1000
        self.now += timedelta(seconds=step)
        return text_of(self.now)

    def soon(self) -> str:
        """A moment later, without using the random numbers."""
        self.now += timedelta(milliseconds=1)
        return text_of(self.now)

    def send(
        self,
        kind: str,
        action: str,
        data: Json,
        at: str,
        url: str | None,
        by: Json | None,
        updated_from: Json | None = None,
    ) -> None:
        payload: Json = {"action": action, "type": kind, "createdAt": at, "data": data}
        payload |= {"organizationId": self.organization["id"], "webhookId": "hook-1"}
        payload["webhookTimestamp"] = int(self.now.timestamp() * 1000)
        if by is self.bot:
            payload["actor"] = {"id": by["id"], "type": "integration", "service": by["type"]}
        elif by is not None:
            payload["actor"] = {"type": "user", **(_shown(by) or {})}
        if updated_from is not None:
            payload["updatedFrom"] = updated_from
        if url is not None:
            payload["url"] = url
        self.sent.append((kind, payload))


_SHOWN = {
    "state": ("id", "name", "type"),
    "team": ("id", "key", "name"),
    "cycle": ("id", "number", "name"),
    "status": ("id", "name", "type"),
}


def link(data: Json, thing: Json, *names: str) -> None:
    """Linked things as webhooks show them: a few of their fields, and the id beside."""
    for name in names:
        other = thing[name]
        data[f"{name}Id"] = other and other["id"]
        if other is not None:
            people = ("id", "name", "email", "avatarUrl", "url")
            is_person = name in ("creator", "assignee", "user", "lead")
            kept = people if is_person else _SHOWN.get(name, ("id", "name"))
            data[name] = {
                field_name: other.get(field_name) for field_name in kept if field_name in other
            }
