"""Verifies Sentry's signature of the body, and reads the time of sending.

Format: docs.sentry.io, "Webhooks" of the integration platform. The time is an unsigned header, so it only
stops careless replays and wrong clocks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from lightfast_pipelines.providers import signing
from lightfast_pipelines.providers.webhook_contract import Secret

HEADER = "sentry-hook-signature"
TIMESTAMP = "sentry-hook-timestamp"
_SECONDS = re.compile(r"\d{9,11}(?:\.\d{1,9})?")
_MILLISECONDS = re.compile(r"\d{12,14}")


def sign(body: bytes, secret: bytes) -> str:
    """The value of `Sentry-Hook-Signature` for `body`: 64 hex digits."""
    return signing.digest(body, secret, "sha256")


def verified_by(body: bytes, signature: str | None, secrets: Sequence[Secret]) -> str | None:
    """The name of the secret that signed `body`; None if none did."""
    return signing.signer(body, signature, secrets, "sha256")


def sent_at(header: str | None) -> datetime | None:
    """The moment in `Sentry-Hook-Timestamp`, seconds since 1970 (or milliseconds), in UTC."""
    value = (header or "").strip()
    if not value.isascii():
        return None
    if _SECONDS.fullmatch(value):
        return datetime.fromtimestamp(float(value), UTC)
    if _MILLISECONDS.fullmatch(value):
        return datetime.fromtimestamp(int(value) / 1000, UTC)
    return None
