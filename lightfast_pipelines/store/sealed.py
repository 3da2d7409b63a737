"""Seals secrets for storage with AES-256-GCM under a key from the settings.

A sealed secret opens only under its key and for the row that it was sealed for.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
IV_BYTES = 12
TAG_BYTES = 16
_FORMAT = "it is 64 hexadecimal digits (`openssl rand -hex 32`) or the base64 of 32 bytes"


class SealedError(ValueError):
    """A key or a sealed secret that cannot be used; the message holds neither."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """`text` is the base64 of IV, tag and ciphertext. `key_id` names the key without revealing it."""

    key_id: str
    text: str


@dataclass(frozen=True, slots=True)
class Keys:
    """The live keys: the first one seals, each opens what it sealed."""

    _keys: tuple[tuple[str, bytes], ...] = field(repr=False)

    @classmethod
    def parse(cls, setting: str) -> Keys:
        """From ENCRYPTION_KEY: 32 bytes as 64 hexadecimal digits or base64; several separated by commas.

        Raises SealedError.
        """
        parts = [part.strip() for part in setting.split(",") if part.strip()]
        if not parts:
            raise SealedError(
                "ENCRYPTION_KEY is not set: 32 bytes as 64 hexadecimal digits or base64"
            )
        keys = [_key(part) for part in parts]
        return cls(tuple((key_id(key), key) for key in keys))

    @property
    def first_id(self) -> str:
        return self._keys[0][0]

    @property
    def ids(self) -> frozenset[str]:
        """Names of the live keys."""
        return frozenset(name for name, _ in self._keys)

    def seal(
        self, secret: bytes, identity: bytes, *, random: Callable[[int], bytes] = os.urandom
    ) -> Sealed:
        """Seals under the first key, bound to `identity` (empty: to nothing).

        Raises SealedError for an empty secret.
        """
        if not secret:
            raise SealedError("a secret cannot be empty")
        name, key = self._keys[0]
        iv = random(IV_BYTES)
        sealed = AESGCM(key).encrypt(iv, secret, identity or None)
        # This format has the tag before the ciphertext, the library's after it.
        wire = iv + sealed[-TAG_BYTES:] + sealed[:-TAG_BYTES]
        return Sealed(name, base64.b64encode(wire).decode())

    def open(self, sealed: Sealed, identity: bytes) -> bytes:
        """The secret. Raises SealedError if the key is not live or a bit has changed."""
        key = dict(self._keys).get(sealed.key_id)
        if key is None:
            raise SealedError(
                f"sealed with key {sealed.key_id}, which ENCRYPTION_KEY does not hold"
            )
        try:
            wire = base64.b64decode(sealed.text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise SealedError("a sealed secret is not base64") from error
        if base64.b64encode(wire).decode() != sealed.text:
            # The last character has spare bits, so another text can have the same bytes.
            raise SealedError("a sealed secret was changed")
        if len(wire) < IV_BYTES + TAG_BYTES:
            raise SealedError(f"a sealed secret has at least {IV_BYTES + TAG_BYTES} bytes")
        iv, tag, text = wire[:IV_BYTES], wire[IV_BYTES:][:TAG_BYTES], wire[IV_BYTES + TAG_BYTES :]
        try:
            return AESGCM(key).decrypt(iv, text + tag, identity or None)
        except InvalidTag as error:
            raise SealedError("a sealed secret was changed, or is another row's") from error


def key_id(key: bytes) -> str:
    """A name for the key that reveals nothing of it."""
    return hashlib.sha256(b"lightfast key id\0" + key).hexdigest()[:16]


def _key(text: str) -> bytes:
    try:
        key = (
            bytes.fromhex(text)
            if len(text) == 2 * KEY_BYTES
            else base64.b64decode(text, validate=True)
        )
    except (binascii.Error, ValueError) as error:
        raise SealedError(f"ENCRYPTION_KEY is neither hexadecimal nor base64; {_FORMAT}") from error
    if len(key) != KEY_BYTES:
        raise SealedError(f"ENCRYPTION_KEY has {len(key)} bytes, not {KEY_BYTES}; {_FORMAT}")
    return key
