"""The contract of recovery: a provider's logs of deliveries, and sweeps for things that were deleted.

Like `api_contract.py` it does no I/O: calls and answers are values, and `recovery/` compares and
writes. A provider's folder exposes `RECOVERY` in `api/recovery.py`, where `discover_recovery` finds it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Protocol, runtime_checkable

from lightfast_pipelines import providers
from lightfast_pipelines.providers.api_contract import (
    Answer,
    AppKeys,
    Call,
    Cursor,
    Json,
    LinkedResource,
    Record,
)


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One attempt at a delivery: `delivery_id` is the same for all of its attempts, `id` is this
    attempt's own.

    `installation` is the provider's id of the installation that it was for, where the log says so.
    """

    delivery_id: str
    id: str
    delivered_at: datetime
    event: str
    status: int
    is_again: bool = False
    installation: str | None = None


@dataclass(frozen=True, slots=True)
class LogPage:
    """Attempts, newest first; `next` is None at the end of the log."""

    entries: Sequence[LogEntry]
    next: Cursor | None


@dataclass(frozen=True, slots=True)
class LoggedDelivery:
    """A delivery as the log keeps it: its parsed body and the headers that were sent with it."""

    event_type: str
    payload: Json
    headers: Mapping[str, str]


class DeliveryLog(Protocol):
    """One log of a provider. Every method is a pure function; `now` is for signing calls."""

    name: str
    """A stable name, stored in `delivery_checks.log`: `app`, or `hook acme/shop 7`."""

    def page(self, cursor: Cursor | None, now: datetime) -> Call:
        """The request for the page at `cursor`; None: the newest. Raises ValueError that says which
        setting is missing."""
        ...

    def read(self, answer: Answer) -> LogPage: ...

    def redelivery(self, entry: LogEntry, now: datetime) -> Call:
        """The request to send the delivery once more."""
        ...

    def detail(self, entry: LogEntry, now: datetime) -> Call:
        """The request for the delivery with its body."""
        ...

    def logged_delivery(self, answer: Answer) -> LoggedDelivery:
        """The delivery in a good answer to `detail`. Raises ValueError if the log lacks its body."""
        ...


@dataclass(frozen=True, slots=True)
class EntityScope:
    """Which entities of a resource a sweep is about.

    Their keys begin with `prefix`, and the types of their observations with `source_type`. `of_parts`:
    they are parts of another entity, as comments are.
    """

    prefix: str
    source_type: str
    of_parts: bool = False


@dataclass(frozen=True, slots=True)
class EntityPage:
    """A page of the entities that exist; `gone` are listed as deleted, with the time if it is given."""

    keys: Sequence[str]
    next: Cursor | None
    gone: Mapping[str, datetime | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KnownEntity:
    """An entity that is stored, with the latest payload about it; an empty one if there is none."""

    key: str
    name: str | None
    event_type: str
    payload: Json


class IdSweep(Protocol):
    """Lists the ids of one kind of entities of a resource, to find those that are gone."""

    @property
    def kind(self) -> str:
        """A stable name, stored in `id_sweeps.entity_type`."""
        ...

    @property
    def confirm_many(self) -> int:
        """How many entities one request of `confirm` asks for."""
        ...

    def scope(self, place: LinkedResource) -> EntityScope: ...

    def call(self, place: LinkedResource, cursor: Cursor | None) -> Call:
        """The request for the page at `cursor`. Raises ValueError if `place` lacks something."""
        ...

    def read(self, place: LinkedResource, cursor: Cursor | None, answer: Answer) -> EntityPage: ...

    def resource(self, place: LinkedResource) -> Call | None:
        """The request for the resource itself, if an empty list can mean anything other than that
        everything was deleted; else None."""
        return None

    def why_empty(self, place: LinkedResource, answer: Answer) -> str | None:
        """Why the list is empty, from a good answer to `resource`: the feature is switched off, or the
        credential does not see the resource. None: the entities are gone."""
        return None

    def confirm(self, place: LinkedResource, things: Sequence[KnownEntity]) -> Call:
        """The request for these entities alone; `of_one` if it asks for a single one."""
        ...

    def gone(
        self, place: LinkedResource, things: Sequence[KnownEntity], answer: Answer | None
    ) -> Mapping[str, datetime | None]:
        """Which of them are gone, with the time if it is given. `answer` is None if the provider said
        that there is no such thing. Raises ValueError if the answer is about something else."""
        ...

    def record(self, place: LinkedResource, thing: KnownEntity, at: datetime) -> Record:
        """Its deletion as a webhook would report it. Raises ValueError if too little is known about it."""
        ...


@runtime_checkable
class MergingSweep(Protocol):
    """A sweep of entities that can be merged into another one, which then answers in their place."""

    def merged(
        self, place: LinkedResource, thing: KnownEntity, answer: Answer, now: datetime
    ) -> Record | None:
        """The merge of an entity that is gone according to this answer; None if it was deleted."""
        ...


class Recovery(Protocol):
    """One provider's logs and sweeps. The methods' bodies are for a provider without any log."""

    provider: str
    sweeps: Sequence[IdSweep]

    def app_log(self, kind: str, keys: AppKeys) -> DeliveryLog | None:
        """The log of the application that a credential of this kind belongs to; None: it has none.

        Raises ValueError that says which setting is missing."""
        return None

    def hooks(self, kind: str, place: LinkedResource) -> Call | None:
        """The request for the resource's own hooks; None: none of them is ours."""
        return None

    def hook_logs(self, place: LinkedResource, answer: Answer) -> Sequence[DeliveryLog]:
        """The logs of those hooks that send to our receiver."""
        return ()


@cache
def discover_recovery() -> dict[str, Recovery]:
    """Name -> recovery, for each provider whose folder has one."""
    return providers.discover_part("api.recovery", "RECOVERY")
