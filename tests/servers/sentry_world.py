"""A small organization at Sentry: its issues with their events and activities, and its metric alerts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]
TOKEN = "sentry-token-of-the-tests"
UUID = "5c6f0d3e-0d0f-4a37-9f2b-1a2b3c4d5e6f"


@dataclass(slots=True)
class Activity:
    """`by` is the number of a user, None for Sentry itself. `type` and `data` are those of the API."""

    number: int
    type: str
    at: datetime
    by: int | None = 7
    data: Json = field(default_factory=dict)


@dataclass(slots=True)
class Issue:
    """`seen` holds the time of each event. `called` overrides fields of the body, such as its title."""

    number: int
    seen: list[datetime]
    activities: list[Activity] = field(default_factory=list)
    release: str | None = "shop@1.4.2"
    environment: str = "production"
    category: str = "error"
    called: Json = field(default_factory=dict)

    def last_seen(self, at: datetime | None = None) -> datetime:
        return max(seen for seen in self.seen if at is None or seen <= at)


@dataclass(slots=True)
class Incident:
    """`levels` holds (level, time) in order; `resolved` ends it."""

    number: int
    begun: datetime
    levels: list[tuple[str, datetime]] = field(default_factory=list)
    rule: int = 70


@dataclass(slots=True)
class World:
    """One project of one organization. `tokens` maps each token to its expiry, if any.

    `merged` maps the number of a merged issue to that of the issue that answers for it.
    """

    issues: list[Issue] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)
    organization: str = "acme"
    project: int = 42
    slug: str = "shop"
    tokens: dict[str, datetime | None] = field(default_factory=lambda: {TOKEN: None})
    refresh_token: str = "refresh-0"
    client: tuple[str, str] = ("client", "secret")
    renewals: int = 0
    organizations: list[str] = field(default_factory=lambda: ["acme"])
    limit: int = 40
    asked: list[float] = field(default_factory=list)
    merged: dict[int, int] = field(default_factory=dict)

    def merge(self, old: int, survivor: int, at: datetime) -> None:
        """As in Sentry: the old issue is gone, and the survivor's activity names it."""
        self.issues = [issue for issue in self.issues if issue.number != old]
        kept = next(issue for issue in self.issues if issue.number == survivor)
        number = 10**6 + old
        kept.activities.append(Activity(number, "merge", at, data={"issues": [{"id": old}]}))
        self.merged[old] = survivor


def iso(at: datetime) -> str:
    return at.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
