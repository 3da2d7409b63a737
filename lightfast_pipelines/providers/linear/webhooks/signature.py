"""Verifies Linear's signature, HMAC-SHA256 over the raw body, and the time of sending in the body.

Format: linear.app/developers/webhooks, "Securing webhooks".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from lightfast_pipelines.providers import fields, signing
from lightfast_pipelines.providers.webhook_contract import Secret

HEADER = "linear-signature"

_CLOCK_DIFFERENCE = 60.0


def sign(body: bytes, secret: bytes) -> str:
    """The value of `Linear-Signature` for `body`: 64 hex digits."""
    return signing.digest(body, secret, "sha256")


def verified_by(body: bytes, signature: str | None, secrets: Sequence[Secret]) -> str | None:
    """The name of the secret that signed `body`; None if none did."""
    return signing.signer(body, signature, secrets, "sha256")


def why_untimely(payload: Mapping[str, Any], now: datetime, tolerance_seconds: float) -> str | None:
    """Why the delivery is refused for its time of sending; None if it is accepted.

    `webhookTimestamp` is in milliseconds; ISO 8601 is read as well. It dates the first attempt: Linear
    repeats a delivery that was refused or not answered after 1 minute, 1 hour and 6 hours, byte for byte,
    so the tolerance has to be longer than that. Repetitions of a stored delivery are recognised by id and
    body.
    """
    sent = fields.time(payload, "webhookTimestamp")
    if sent is None:
        return "timestamp missing"
    age = (now - sent).total_seconds()
    is_timely = -min(_CLOCK_DIFFERENCE, tolerance_seconds) <= age <= tolerance_seconds
    return None if is_timely else "timestamp outside tolerance"
