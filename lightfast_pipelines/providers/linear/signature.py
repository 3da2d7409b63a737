"""What Linear signs: the raw body by HMAC-SHA256, and in it the time of sending.

Nothing else of the body is looked at here. Format: linear.app/developers/webhooks, "Securing webhooks".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from lightfast_pipelines.providers import fields, signing
from lightfast_pipelines.providers.contract import Secret

HEADER = "linear-signature"


def sign(body: bytes, secret: bytes) -> str:
    """The value of `Linear-Signature` for `body`: 64 hex digits."""
    return signing.digest(body, secret, "sha256")


def verified_by(body: bytes, signature: str | None, secrets: Sequence[Secret]) -> str | None:
    """The name of the secret that signed `body`; None for none, or where nothing is to verify."""
    return signing.signer(body, signature, secrets, "sha256")


def why_untimely(payload: Mapping[str, Any], now: datetime, tolerance_seconds: float) -> str | None:
    """Why the signed time of sending does not let the delivery in; None where it does.

    `webhookTimestamp` is in milliseconds; ISO 8601 is read as well. It is the time of this sending,
    not of the event: a repeated delivery has a new one.
    """
    sent = fields.time(payload, "webhookTimestamp")
    if sent is None:
        return "timestamp missing"
    skew = abs((now - sent).total_seconds())
    return None if skew <= tolerance_seconds else "timestamp outside tolerance"
