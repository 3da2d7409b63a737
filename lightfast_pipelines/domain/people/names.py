"""Reads names of people: what is one name however it is written, and which names identify nobody."""

from __future__ import annotations

import unicodedata


def plain(name: str | None) -> str:
    """Letters and digits in lower case without accents: `José  Pérez` and `jose perez` are one name."""
    text = unicodedata.normalize("NFKD", name or "")
    return "".join(letter for letter in text.casefold() if letter.isalnum())
