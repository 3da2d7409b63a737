"""What a provider must be able to say so that nothing is missed: its log of deliveries, and which of
its things still exist.

Sans I/O, as `history.py`: calls and answers are values. Who compares, asks again and writes stands in
`recovery/`. A provider's folder exposes `RECOVERY` in a module `recovery`; it is
found by `discover_recovery`.
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
    """A try to deliver. `delivery_id` is that of the delivery, equal for each try; `id` the try's own.

    `installation` is the provider's id of the connection that it was for, where it says so.
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
    """Tries, newest first; `next` is None where the log ends."""

    entries: Sequence[LogEntry]
    next: Cursor | None


@dataclass(frozen=True, slots=True)
class LoggedDelivery:
    """A delivery as the log has kept it: its parsed body, and the headers that came with it."""

    event_type: str
    payload: Json
    headers: Mapping[str, str]


class DeliveryLog(Protocol):
    """One log of a provider. Every method is a pure function; `now` is for calls that are signed."""

    name: str
    """Stable, as in `delivery_checks.log`: `app`, or `hook acme/shop 7`."""

    def page(self, cursor: Cursor | None, now: datetime) -> Call:
        """The request for the page at `cursor`, the newest for None. Raises ValueError, with what to
        set, where something is missing."""
        ...

    def read(self, answer: Answer) -> LogPage: ...

    def again(self, entry: LogEntry, now: datetime) -> Call:
        """Asks the provider to send it once more."""
        ...

    def detail(self, entry: LogEntry, now: datetime) -> Call: ...

    def told(self, answer: Answer) -> LoggedDelivery:
        """What a good answer to `detail` holds. Raises ValueError where it holds no body."""
        ...


@dataclass(frozen=True, slots=True)
class Held:
    """Which things the memory has of a resource: those whose key begins with `prefix`, and that are
    told of by types that begin with `source_type`.

    `of_parts`: the key is that of a part of something else (a comment).
    """

    prefix: str
    source_type: str
    of_parts: bool = False


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of what exists, as keys of the memory; `gone` are listed as deleted, and since when."""

    keys: Sequence[str]
    next: Cursor | None
    gone: Mapping[str, datetime | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Known:
    """A thing of the memory: its key, and the latest payload that told of it, where there is one."""

    key: str
    name: str | None
    event_type: str
    payload: Json


class IdSweep(Protocol):
    """Lists the ids of one kind of things of a resource, to find those that are gone."""

    @property
    def kind(self) -> str:
        """As in `id_sweeps.entity_type`."""
        ...

    @property
    def confirm_many(self) -> int:
        """How many things one request of `confirm` asks for."""
        ...

    def held(self, place: LinkedResource) -> Held: ...

    def call(self, place: LinkedResource, cursor: Cursor | None) -> Call:
        """Raises ValueError where the place lacks what is needed."""
        ...

    def read(self, place: LinkedResource, cursor: Cursor | None, answer: Answer) -> Listed: ...

    def resource(self, place: LinkedResource) -> Call | None:
        """Asks for the resource itself, where an empty list may mean something else than that
        everything was deleted. None: an empty list means what it says."""
        ...

    def why_empty(self, place: LinkedResource, answer: Answer) -> str | None:
        """What explains an empty list, by a good answer to `resource`: the kind is switched off, or
        the credential does not see the resource. None: nothing does, so the things are gone."""
        ...

    def confirm(self, place: LinkedResource, things: Sequence[Known]) -> Call:
        """Asks for these alone: as a call `of_one`, where it takes one thing at a time."""
        ...

    def gone(
        self, place: LinkedResource, things: Sequence[Known], answer: Answer | None
    ) -> Mapping[str, datetime | None]:
        """Which of them are gone, and since when where it is said. `answer` is None where the
        provider said that there is no such thing. Raises ValueError where the answer says nothing
        about them, as one about another thing."""
        ...

    def record(self, place: LinkedResource, thing: Known, at: datetime) -> Record:
        """Its deletion as the webhook would have told it. Raises ValueError where too little is known."""
        ...


@runtime_checkable
class Merging(Protocol):
    """The part of a sweep whose things can become a part of another one, which answers in their place."""

    def merged(
        self, place: LinkedResource, thing: Known, answer: Answer, now: datetime
    ) -> Record | None:
        """Told instead of a deletion, of a thing that is gone by this answer; None: it was deleted."""
        ...


class Recovery(Protocol):
    """What one provider has. One that keeps no log of what it sent says nothing of logs."""

    provider: str
    sweeps: Sequence[IdSweep]

    def app_log(self, kind: str, keys: AppKeys) -> DeliveryLog | None:
        """The log of the application that a credential of this kind belongs to; None: it has none.

        Raises ValueError, with what to set, where the settings lack something."""
        return None

    def hooks(self, kind: str, place: LinkedResource) -> Call | None:
        """Asks which hooks the resource itself has; None: it has none of ours."""
        return None

    def hook_logs(self, place: LinkedResource, answer: Answer) -> Sequence[DeliveryLog]:
        """The logs of those hooks that send to a receiver of ours."""
        return ()


@cache
def discover_recovery() -> dict[str, Recovery]:
    """Name -> recovery, for each provider whose folder has one."""
    return providers.discover_part("api.recovery", "RECOVERY")
