"""Verifies Vercel's signature: HMAC-SHA1 over the raw body, without a prefix.

Format: vercel.com/docs, "Securing webhooks".
"""

from __future__ import annotations

from collections.abc import Sequence

from lightfast_pipelines.providers import signing
from lightfast_pipelines.providers.webhook_contract import Secret

HEADER = "x-vercel-signature"


def sign(body: bytes, secret: bytes) -> str:
    """The value of `x-vercel-signature` for `body`: 40 hex digits."""
    return signing.digest(body, secret, "sha1")


def verified_by(body: bytes, signature: str | None, secrets: Sequence[Secret]) -> str | None:
    """The name of the secret that signed `body`; None if none did."""
    return signing.signer(body, signature, secrets, "sha1")
