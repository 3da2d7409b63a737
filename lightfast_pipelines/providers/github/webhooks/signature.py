"""The signature that GitHub puts on a delivery: HMAC-SHA256 over the raw body.

The body is not parsed here. Format: docs.github.com, "Validating webhook deliveries".
"""

from __future__ import annotations

from collections.abc import Sequence

from lightfast_pipelines.providers import signing
from lightfast_pipelines.providers.webhook_contract import Secret

HEADER = "x-hub-signature-256"
_PREFIX = "sha256="


def sign(body: bytes, secret: bytes) -> str:
    """The value of `X-Hub-Signature-256` for `body`: `sha256=` and 64 hex digits."""
    return _PREFIX + signing.digest(body, secret, "sha256")


def verified_by(body: bytes, signature: str | None, secrets: Sequence[Secret]) -> str | None:
    """The name of the secret that signed `body`; None if none did or if there is no signature."""
    if signature is None or not signature.startswith(_PREFIX):
        return None
    return signing.signer(body, signature.removeprefix(_PREFIX), secrets, "sha256")
