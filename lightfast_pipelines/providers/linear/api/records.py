"""A fact of the API's history as the webhook that would have told it.

What is common to all kinds of things; which facts there are stands in the module of each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from lightfast_pipelines.providers.api_contract import Json, Record
from lightfast_pipelines.providers.fields import Missing, name_of, time
from lightfast_pipelines.providers.linear.api.queries import moment

PERSON = "id name email avatarUrl url"
OUTSIDER = "id name email avatarUrl"
BOT = "id type name avatarUrl"

# Linear writes the parts of one change within some milliseconds (`editedAt`, then `updatedAt`).
_ONE_CHANGE = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Teller:
    """Tells the facts of one thing: of which kind it is, of which organization, and its address."""

    kind: str
    organization: str
    url: str | None = None

    def told(
        self,
        action: str,
        data: Json,
        at: datetime,
        fact: str,
        *,
        actor: Json | None = None,
        updated_from: Json | None = None,
    ) -> Record:
        """`fact` names it among those of the thing. Without `actor` it is not known who did it."""
        payload: Json = {"action": action, "type": self.kind, "createdAt": moment(at)}
        payload["organizationId"] = self.organization
        if actor is not None:
            payload["actor"] = actor
        payload["data"] = data
        if updated_from is not None:
            payload["updatedFrom"] = updated_from
        if self.url is not None:
            payload["url"] = self.url
        return Record(self.kind, payload, at, f"backfill:{self.kind}:{data['id']}:{fact}")


def needed_time(item: Mapping[str, Any], name: str) -> datetime:
    """Raises Missing."""
    found = time(item, name)
    if found is None:
        raise Missing(name)
    return found


def needed_id(item: Mapping[str, Any]) -> str:
    """Raises Missing."""
    found = name_of(item, "id")
    if found is None:
        raise Missing("id")
    return found


def same_change(item: Mapping[str, Any], own: datetime) -> datetime:
    """The moment that the webhook of a change at `own` carried: `updatedAt`, if it still is of that
    change; once the thing has changed again, `own` is all that is known."""
    updated = time(item, "updatedAt")
    return updated if updated is not None and abs(updated - own) < _ONE_CHANGE else own


def is_untouched(item: Mapping[str, Any], since: datetime) -> bool:
    """Whether nothing of it has changed since this moment, so that all it says was so then."""
    updated = time(item, "updatedAt")
    return updated is not None and updated - since < _ONE_CHANGE


def linked(data: Json, item: Mapping[str, Any], *names: str) -> None:
    """Other things that `item` names, as webhooks write them: `team` and `teamId`."""
    for name in names:
        other = item.get(name)
        data[f"{name}Id"] = other.get("id") if isinstance(other, dict) else None
        if isinstance(other, dict):
            data[name] = {key: value for key, value in other.items() if value is not None}


def nodes(item: Mapping[str, Any], name: str) -> Sequence[Json]:
    """The things in a list of `item`."""
    found = item.get(name)
    entries = found.get("nodes") if isinstance(found, dict) else None
    return [each for each in entries or () if isinstance(each, dict)]
