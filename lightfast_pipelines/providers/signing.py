"""HMAC signatures in hexadecimal, and which of several secrets made one.

Each provider knows which bytes are signed and how the header is written.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence

from lightfast_pipelines.providers.webhook_contract import Secret

_HEX_DIGITS = {"sha1": re.compile("[0-9A-Fa-f]{40}"), "sha256": re.compile("[0-9A-Fa-f]{64}")}


def digest(signed: bytes, secret: bytes, algorithm: str) -> str:
    """The HMAC of the bytes, in lower-case hexadecimal; `algorithm` is `sha1` or `sha256`."""
    return hmac.digest(secret, signed, algorithm).hex()


def signer(
    signed: bytes, digits: str | None, secrets: Sequence[Secret], algorithm: str
) -> str | None:
    """The name of the secret with which `digits` were made; None if none did.

    Every secret is tried even after one fits, so that the time taken does not reveal which one did.
    An empty secret never verifies, because anybody could sign with it.
    """
    if digits is None or not _HEX_DIGITS[algorithm].fullmatch(digits):
        return None
    given_digest = bytes.fromhex(digits)
    name: str | None = None
    for secret in secrets:
        fits = hmac.compare_digest(hmac.digest(secret.value, signed, algorithm), given_digest)
        if fits and secret.value and name is None:
            name = secret.name
    return name
