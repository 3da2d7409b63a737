"""What every provider must do: verify a delivery in the receiver, and read it in capture.

Both are pure: bytes and headers in, values out. No network, no database.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from lightfast_pipelines.domain.events import Reading, Route
from lightfast_pipelines.providers import json_body

# `decode` gets it among the headers: when the delivery was received, in ISO 8601.
RECEIVED_AT = "received-at"
# Stored with a delivery that was lost and recovered from the provider's log: when it was first sent.
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
    """Why a delivery is refused: `status` is 400 or 401, `message` is safe to send back."""

    status: int
    message: str


@dataclass(frozen=True, slots=True)
class EventRule:
    """The outcome of one kind of delivery: a row of docs/events.md, which tests compare with the code.

    `event` is the stored event type (`domain.*` matches every type with that prefix), `action` the
    body's action; None matches any. `source_types` are the types of the observations that it can
    become; `note` says why it is filtered, or anything else that is worth knowing.
    """

    event: str
    action: str | None
    outcome: Literal["delivered", "filtered", "lifecycle"]
    source_types: tuple[str, ...] = ()
    note: str = ""


class Provider(Protocol):
    """One provider. Headers have lower-case names; bodies are the bytes as they were received.

    `decode` and `sync_event` have defaults that suit most providers.
    """

    name: str
    rule_version: int
    """Raised when the rules change: outcomes of older versions go back into the queue."""
    default_events: frozenset[str]
    """Events that an integration wants unless its `sync_config.events` says otherwise."""
    events: Sequence[EventRule]
    """The outcome of each kind of event that the provider knows; any other is parked."""
    kept_headers: frozenset[str]
    """Headers stored beside the body (lower case)."""
    secret_settings: Sequence[str]
    """Names of the environment variables that hold the webhook secret; each may hold two, separated by a comma."""

    def accept(
        self, body: bytes, headers: Mapping[str, str], secrets: Sequence[Secret], *, now: datetime
    ) -> Accepted | Refused:
        """Verifies the signature over the raw bytes, then the headers, then that the body parses.

        `now` is for providers that sign a time; others ignore it."""
        ...

    def decode(
        self,
        body: bytes,
        headers: Mapping[str, str],  # for a provider whose headers say more than the body
    ) -> dict[str, Any]:
        """The payload; its text holds no NUL and no lone surrogate. Raises MalformedBody."""
        return json_body.payload(body)

    def route(self, event_type: str, payload: Mapping[str, Any]) -> Route | None:
        """Where the payload belongs; None if it names no resource and no installation."""
        ...

    def read(self, event_type: str, payload: Mapping[str, Any]) -> Reading:
        """What the payload states. An exception, which no payload should cause, makes a dead letter."""
        ...

    def resource_id(self, given: str) -> str:
        """The id by which payloads name the resource that an operator gives.

        Raises a ValueError that says which id is needed and where to find it: a link by another id
        would never match a payload."""
        ...

    def sync_event(
        self,
        event_type: str,
        payload: Mapping[str, Any],  # for a provider whose event types do not name the kind
    ) -> str:
        """The name under which `sync_config.events` lists this payload's kind."""
        return event_type
