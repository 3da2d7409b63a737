"""The envelope that all of Linear's data-change webhooks share, in each of its generations.

2021 has neither `organizationId` nor `webhookTimestamp`, 2023 has both, 2026 also an `actor`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from lightfast_pipelines.providers.fields import (
    Missing,
    child,
    first_time,
    latest,
    name_of,
    needed_child,
    text,
    time,
    url,
)

ACTIONS = ("create", "update", "remove")

# What is taken back from the trash: told as an update that clears `trashed`, or as an action of its own.
_RESTORE = "restore"
# Linear's event of a removal, or of what else has a time of its own, may come some seconds later.
_ONE_EVENT = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class LinearEvent:
    """One payload: `data` is the entity as it is now, `id` its id, `action` one of ACTIONS."""

    payload: Mapping[str, Any]
    data: Mapping[str, Any]
    id: str
    action: str

    @property
    def updated_from(self) -> Mapping[str, Any]:
        return child(self.payload, "updatedFrom")

    @property
    def url(self) -> str | None:
        """Of the entity itself; `data.url` of an attachment is the address it points to instead."""
        return url(self.payload, "url")

    @property
    def created_at(self) -> datetime:
        """Raises Missing, as do the other times."""
        return self._needed("createdAt", first_time(self.data, "createdAt"))

    @property
    def changed_at(self) -> datetime:
        """Of an update: `updatedAt` where it moved with the change, else the event's own time.

        A change of a project's health, or an archive, leaves the entity's `updatedAt` as it was. So does
        the second of two changes within a second, which has the time of the first.
        """
        updated = time(self.data, "updatedAt")
        if updated is not None and self.has_moved("updatedAt"):
            return updated
        return self._needed("updatedAt", latest(updated, time(self.payload, "createdAt")))

    @property
    def removed_at(self) -> datetime:
        """Of the removal. `updatedAt` is that of the last change before; so is `archivedAt` of what
        had been archived for some time."""
        archived, own = time(self.data, "archivedAt"), time(self.payload, "createdAt")
        found = _time_of_event(archived, own)
        return self._needed("archivedAt", found or time(self.data, "updatedAt"))

    def own_time(self, name: str) -> datetime | None:
        """The time in field `name`, if it is of this very change."""
        found, at = time(self.data, name), self.changed_at
        if found is None or self.has_moved(name) or abs(found - at) <= _ONE_EVENT:
            return found
        return None

    def has_moved(self, name: str) -> bool:
        """Whether the update says that this time is another now."""
        return name in self.updated_from and time(self.updated_from, name) != time(self.data, name)

    @property
    def last_update(self) -> datetime | None:
        return first_time(self.data, "updatedAt", "createdAt")

    @property
    def facts(self) -> dict[str, Any]:
        """The part of an observation's metadata that every one has."""
        words = {"create": "created", "update": "updated", "remove": "deleted"}
        return {
            "action": words[self.action],
            "organizationId": name_of(self.payload, "organizationId")
            or name_of(self.data, "organizationId"),
            "webhookId": name_of(self.payload, "webhookId"),
        }

    def _needed(self, field: str, found: datetime | None) -> datetime:
        found = found or time(self.payload, "createdAt")
        if found is None:
            raise Missing(f"data.{field}")
        return found


def _time_of_event(of_entity: datetime | None, of_event: datetime | None) -> datetime | None:
    """The entity's time, which the API tells as well, unless the event came later."""
    if of_entity is None or of_event is None:
        return of_entity or of_event
    return of_event if of_event - of_entity > _ONE_EVENT else of_entity


class UnknownAction(LookupError):
    """An action that is not known yet; the message says which."""


def event_of(event_type: str, payload: Mapping[str, Any]) -> LinearEvent:
    """Raises Missing where there is no entity, UnknownAction for another action than ACTIONS
    and `restore`."""
    if text(payload, "type") not in (None, event_type):
        raise Missing(f"type {event_type[:100]}")
    action = text(payload, "action")
    if action is None or action not in (*ACTIONS, _RESTORE):
        raise UnknownAction(f"action {str(action)[:100]} is not known yet")
    data = needed_child(payload, "data")
    if action == _RESTORE:
        was = {"trashed": True, **child(payload, "updatedFrom")}
        payload, data, action = {**payload, "updatedFrom": was}, {**data, "trashed": None}, "update"
    return LinearEvent(payload, data, needed_id(data, "id"), action)


def needed_id(value: Mapping[str, Any], name: str) -> str:
    """An id. Raises Missing."""
    found = name_of(value, name)
    if found is None:
        raise Missing(f"data.{name}")
    return found


def linked_id(value: Mapping[str, Any], name: str) -> str | None:
    """Id of a related entity: `nameId`, or `name.id` where only the entity itself is given."""
    return name_of(value, f"{name}Id") or name_of(child(value, name), "id")


def number_of(value: Mapping[str, Any], name: str) -> int | float | None:
    """A number, whole where it is (Linear's schema calls all of them floats); None for none."""
    found = value.get(name)
    if isinstance(found, bool) or not isinstance(found, int | float) or abs(found) > 2**53:
        return None
    return int(found) if float(found).is_integer() else found
