"""Turns an item of Linear's API into the webhook that would have reported it.

This module holds what all kinds of items share; which facts an item yields is in the module of its kind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from lightfast_pipelines.providers.api_contract import Json, Record, UnreadableItem
from lightfast_pipelines.providers.fields import Missing, name_of, time
from lightfast_pipelines.providers.linear.api.queries import moment

PERSON = "id name email avatarUrl url"
OUTSIDER = "id name email avatarUrl"
BOT = "id type name avatarUrl"

UNREADABLE = (LookupError, TypeError, ValueError, AttributeError)
"""What reading an item of an unexpected shape raises."""

# Linear writes the parts of one change within some milliseconds (`editedAt`, then `updatedAt`).
_ONE_CHANGE = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class RecordBuilder:
    """Builds the records of one item: its event type, its organization and its address."""

    event_type: str
    organization: str
    url: str | None = None

    def record(
        self,
        action: str,
        data: Json,
        at: datetime,
        fact: str,
        *,
        actor: Json | None = None,
        updated_from: Json | None = None,
    ) -> Record:
        """`fact` identifies the record among those of the item. `actor` is None if unknown."""
        payload: Json = {"action": action, "type": self.event_type, "createdAt": moment(at)}
        payload["organizationId"] = self.organization
        if actor is not None:
            payload["actor"] = actor
        payload["data"] = data
        if updated_from is not None:
            payload["updatedFrom"] = updated_from
        if self.url is not None:
            payload["url"] = self.url
        delivery_id = f"backfill:{self.event_type}:{data['id']}:{fact}"
        return Record(self.event_type, payload, at, delivery_id)


def needed_time(item: Mapping[str, Any], name: str) -> datetime:
    """Raises Missing."""
    at = time(item, name)
    if at is None:
        raise Missing(name)
    return at


def needed_id(item: Mapping[str, Any]) -> str:
    """Raises Missing."""
    item_id = name_of(item, "id")
    if item_id is None:
        raise Missing("id")
    return item_id


def webhook_time(item: Mapping[str, Any], changed_at: datetime) -> datetime:
    """The time that the webhook of a change carried: `updatedAt` while that still belongs to this
    change, else `changed_at`."""
    updated = time(item, "updatedAt")
    is_same = updated is not None and abs(updated - changed_at) < _ONE_CHANGE
    return updated if updated is not None and is_same else changed_at


def is_unchanged_since(item: Mapping[str, Any], since: datetime) -> bool:
    """Whether today's values were already true at `since`."""
    updated = time(item, "updatedAt")
    return updated is not None and updated - since < _ONE_CHANGE


def copy_links(data: Json, item: Mapping[str, Any], *names: str) -> None:
    """Copies the entities that `item` links to in the form of webhooks: `team` and `teamId`."""
    for name in names:
        entity = item.get(name)
        data[f"{name}Id"] = entity.get("id") if isinstance(entity, dict) else None
        if isinstance(entity, dict):
            data[name] = {key: value for key, value in entity.items() if value is not None}


def nodes(item: Mapping[str, Any], name: str) -> Sequence[Json]:
    """The nodes of the connection `name`."""
    connection = item.get(name)
    entries = connection.get("nodes") if isinstance(connection, dict) else None
    return [node for node in entries or () if isinstance(node, dict)]


def unreadable(what: str, item: object, error: Exception) -> UnreadableItem:
    """Names the item by its id if it has one."""
    item_id = item.get("id") if isinstance(item, dict) else None
    return UnreadableItem(f"{what} {item_id or '?'}", f"{type(error).__name__}: {error}"[:300])
