"""The error of a question that cannot be answered as it was asked."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_SHOWN = 120
"""More than the tables and views, fewer than the types of observations."""


class ReadError(ValueError):
    """The question names something that does not exist, or is asked in a wrong way; the message says
    what there is."""


def unknown(what: str, name: object, known: Iterable[str]) -> ReadError:
    """The error for a name that does not exist. It lists the names that do, the similar ones first."""
    names = sorted(set(known))
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    there = ", ".join(names[:_SHOWN]) or "none"
    similar = get_close_matches(str(name), names, n=3)
    meant = f"did you mean {' or '.join(map(repr, similar))}? Known" if similar else "known"
    return ReadError(f"there is no {what} {name!r}: {meant}: {there}{more}")
