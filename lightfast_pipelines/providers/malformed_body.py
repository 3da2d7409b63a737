"""The error for a body that is not of its provider's format."""

from __future__ import annotations


class MalformedBody(ValueError):
    """The bytes are not the provider's format; the message says what was expected and what was found."""
