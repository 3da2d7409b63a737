"""The envelope that all of Linear's data-change webhooks share.

It has grown over time: in 2021 it had neither `organizationId` nor `webhookTimestamp`, in 2023 both,
and since 2026 it has an `actor` too.
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

# Restoring from the trash is an update that clears `trashed`, or an action of its own.
_RESTORE = "restore"
# An event may be dated some seconds later than the time in the entity that it reports.
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
        """The entity's own address; `data.url` of an attachment is the address it points to."""
        return url(self.payload, "url")

    @property
    def created_at(self) -> datetime:
        """Raises Missing, as do the other times."""
        return self._needed("createdAt", first_time(self.data, "createdAt"))

    @property
    def changed_at(self) -> datetime:
        """When an update happened: `updatedAt` if the change moved it, else the event's own time.

        A change of a project's health and archiving leave `updatedAt` as it was. The second of two changes
        within a second carries the time of the first.
        """
        updated = time(self.data, "updatedAt")
        if updated is not None and self.has_moved("updatedAt"):
            return updated
        return self._needed("updatedAt", latest(updated, time(self.payload, "createdAt")))

    @property
    def removed_at(self) -> datetime:
        """When the entity was removed. `updatedAt` dates the last change before, and `archivedAt` may date
        an earlier archiving: then the event's own time is later by more than a minute."""
        archived, sent = time(self.data, "archivedAt"), time(self.payload, "createdAt")
        if archived is None or (sent is not None and sent - archived > _ONE_EVENT):
            archived = sent
        return self._needed("archivedAt", archived or time(self.data, "updatedAt"))

    def own_time(self, name: str) -> datetime | None:
        """The time in field `name`, if it is the time of this change."""
        moment = time(self.data, name)
        if moment is None or self.has_moved(name):
            return moment
        return moment if abs(moment - self.changed_at) <= _ONE_EVENT else None

    def has_moved(self, name: str) -> bool:
        """Whether the update changed this time."""
        return name in self.updated_from and time(self.updated_from, name) != time(self.data, name)

    @property
    def last_update(self) -> datetime | None:
        return first_time(self.data, "updatedAt", "createdAt")

    @property
    def facts(self) -> dict[str, Any]:
        """The metadata that every observation has."""
        words = {"create": "created", "update": "updated", "remove": "deleted"}
        return {
            "action": words[self.action],
            "organizationId": name_of(self.payload, "organizationId")
            or name_of(self.data, "organizationId"),
            "webhookId": name_of(self.payload, "webhookId"),
        }

    def _needed(self, field: str, moment: datetime | None) -> datetime:
        moment = moment or time(self.payload, "createdAt")
        if moment is None:
            raise Missing(f"data.{field}")
        return moment


class UnknownAction(LookupError):
    """An action that we do not know yet; the message names it."""


def event_of(event_type: str, payload: Mapping[str, Any]) -> LinearEvent:
    """Raises Missing without an entity, UnknownAction for an action other than ACTIONS and `restore`."""
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
    identity = name_of(value, name)
    if identity is None:
        raise Missing(f"data.{name}")
    return identity


def linked_id(value: Mapping[str, Any], name: str) -> str | None:
    """The id of a related entity: `nameId`, or `name.id` if the payload has only the entity."""
    return name_of(value, f"{name}Id") or name_of(child(value, name), "id")


def number_of(value: Mapping[str, Any], name: str) -> int | float | None:
    """A number, as an int if it is whole (Linear's schema declares floats); None if there is none."""
    number = value.get(name)
    if isinstance(number, bool) or not isinstance(number, int | float) or abs(number) > 2**53:
        return None
    return int(number) if float(number).is_integer() else number
