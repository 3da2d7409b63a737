"""A complete request to the webhooks' endpoint, as the gate hands it over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from webhook_receiver.framing import Head


class Sender(Protocol):
    """What the endpoint needs from the connection on which a request came."""

    address: str
    """The sender's address, for the log."""

    def verified(self) -> None:
        """The signature of the current request is valid."""
        ...


@dataclass(slots=True)
class Request:
    """A bounded request whose head is checked and whose body is complete."""

    head: Head
    path: str
    body: bytes
    sender: Sender
    began: float
    """When its first byte arrived, by `time.monotonic`."""
