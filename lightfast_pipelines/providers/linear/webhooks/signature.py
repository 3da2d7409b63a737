"""What Linear signs: the raw body by HMAC-SHA256, and in it the time of sending.

Nothing else of the body is looked at here. Format: linear.app/developers/webhooks, "Securing webhooks".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from lightfast_pipelines.providers import fields, signing
from lightfast_pipelines.providers.webhook_contract import Secret

HEADER = "linear-signature"

_CLOCKS_APART = 60.0


def sign(body: bytes, secret: bytes) -> str:
    """The value of `Linear-Signature` for `body`: 64 hex digits."""
    return signing.digest(body, secret, "sha256")


def verified_by(body: bytes, signature: str | None, secrets: Sequence[Secret]) -> str | None:
    """The name of the secret that signed `body`; None for none, or where nothing is to verify."""
    return signing.signer(body, signature, secrets, "sha256")


def why_untimely(payload: Mapping[str, Any], now: datetime, tolerance_seconds: float) -> str | None:
    """Why the signed time of sending does not let the delivery in; None where it does.

    `webhookTimestamp` is in milliseconds; ISO 8601 is read as well. It is the time of the first try:
    what was refused or not answered comes again after 1 minute, 1 hour and 6 hours, byte for byte the
    same. So it only keeps out what is older than that. A delivery that was stored is known by its id
    and its body, however often it comes.
    """
    sent = fields.time(payload, "webhookTimestamp")
    if sent is None:
        return "timestamp missing"
    age = (now - sent).total_seconds()
    is_timely = -min(_CLOCKS_APART, tolerance_seconds) <= age <= tolerance_seconds
    return None if is_timely else "timestamp outside tolerance"
