"""What a provider must be able to do: verify a delivery at the door, and read it afterwards.

Both halves are pure: bytes and headers in, values out. No network, no database.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from lightfast_pipelines.domain.events import Reading, Route

# Told to `decode` among the headers: when the delivery was received, in ISO 8601.
RECEIVED_AT = "received-at"
# Stored beside a delivery that was lost and read from the provider's log: when it was sent at first.
FIRST_SENT_AT = "first-sent-at"


@dataclass(frozen=True, slots=True)
class Secret:
    """A webhook secret and the name under which `raw_payloads.verified_by` records it (`env:NAME`)."""

    name: str
    value: bytes

    def __repr__(self) -> str:
        return f"Secret(name={self.name!r})"


@dataclass(frozen=True, slots=True)
class Accepted:
    """A verified delivery: its id, its event's name and the secret that verified it."""

    delivery_id: str
    event_type: str
    verified_by: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a delivery is refused: `status` is 400 or 401, `message` is safe to answer."""

    status: int
    message: str


@dataclass(frozen=True, slots=True)
class EventRule:
    """What becomes of one kind of delivery: a row of docs/events.md, held against the code by tests.

    `event` is the stored event type (`domain.*`: all that begin so), `action` the body's where it
    has one (None: whatever it is).
    `source_types` are the types of the observations that may come of it; `note` is the reason for
    which it is filtered, or what else there is to know.
    """

    event: str
    action: str | None
    outcome: Literal["delivered", "filtered", "lifecycle"]
    source_types: tuple[str, ...] = ()
    note: str = ""


class MalformedBody(ValueError):
    """The bytes are not the provider's format; the message says what was expected and what was found."""


class Provider(Protocol):
    """One provider. Headers are given with lower-case names; bodies are the bytes as they came."""

    name: str
    rule_version: int
    """Raised when transformers change: older outcomes go back into the queue."""
    default_events: frozenset[str]
    """Events of `sync_config.events` that an integration wants unless it says otherwise."""
    events: Sequence[EventRule]
    """What becomes of each kind of event it knows; any other is parked."""
    kept_headers: frozenset[str]
    """Headers stored beside the body (lower case)."""
    secret_settings: Sequence[str]
    """Names of the environment variables that hold the webhook secret; each may hold two, by comma."""

    def accept(
        self,
        body: bytes,
        headers: Mapping[str, str],
        secrets: Sequence[Secret],
        *,
        now: datetime,
    ) -> Accepted | Refused:
        """Verify the signature over the raw bytes first, then headers, then that the body parses.

        `now` is for providers that sign a time; the others ignore it."""
        ...

    def decode(self, body: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
        """The payload as an object. Raises MalformedBody."""
        ...

    def route(self, event_type: str, payload: Mapping[str, Any]) -> Route | None:
        """Where it belongs, or None where it names no resource and no installation."""
        ...

    def read(self, event_type: str, payload: Mapping[str, Any]) -> Reading:
        """What the payload states. Raises only on shapes it believed to know (a dead letter)."""
        ...

    def resource_id(self, given: str) -> str:
        """The id by which payloads name the resource that an operator gives. Raises ValueError, which says
        what is wanted and where it is found: a link to what no payload names would wait for ever."""
        ...

    def sync_event(self, event_type: str, payload: Mapping[str, Any]) -> str:
        """The name under which `sync_config.events` lists this payload's kind."""
        ...
