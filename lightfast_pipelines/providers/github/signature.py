"""The signature that GitHub puts on a delivery: HMAC-SHA256 over the raw body.

Nothing here looks into the body. Format: docs.github.com, "Validating webhook deliveries".
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence

from lightfast_pipelines.providers.contract import Secret

HEADER = "x-hub-signature-256"
_FORMAT = re.compile(r"sha256=([0-9A-Fa-f]{64})")


def sign(body: bytes, secret: bytes) -> str:
    """The value of `X-Hub-Signature-256` for `body`: `sha256=` and 64 hex digits."""
    return "sha256=" + hmac.digest(secret, body, "sha256").hex()


def verified_by(body: bytes, signature: str | None, secrets: Sequence[Secret]) -> str | None:
    """The name of the secret that signed `body`; None for none, or where nothing is to verify.

    Every secret is tried, whichever fits, so that the time taken does not tell which one did.
    An empty secret never verifies: anybody could sign with it.
    """
    found = _FORMAT.fullmatch(signature or "")
    if found is None:
        return None
    given = bytes.fromhex(found[1])
    name: str | None = None
    for secret in secrets:
        fits = hmac.compare_digest(hmac.digest(secret.value, body, "sha256"), given)
        if fits and secret.value and name is None:
            name = secret.name
    return name
