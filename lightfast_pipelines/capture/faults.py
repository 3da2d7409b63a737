"""Whose fault an error of a batch is: a payload's, which ends in the dead letters, or the machine's.

A fault of the machine (no connection, a missing column or right, a full disk, a bug in a statement)
would strike every payload alike: it ends the run and leaves the queue as it was. Postgres says which
of the two it is by SQLSTATE; the class of the exception says too little ("index row size exceeds the
maximum" is an OperationalError).
"""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

# The first two digits; see postgresql.org/docs/current/errcodes-appendix.html.
_OF_A_PAYLOAD = {
    "21": "a row that comes twice",
    "22": "a value that Postgres does not take",
    "23": "a row that breaks a constraint",
    "54": "a value that is too large for an index, a row or a stack",
}
_OF_READING = (
    ValueError,
    LookupError,
    TypeError,
    ArithmeticError,
    AttributeError,
    AssertionError,
    RecursionError,
)


@dataclass(frozen=True, slots=True)
class Fault:
    """Whether a payload is at fault, and why it is thought so."""

    of_a_payload: bool
    reason: str


def judge(error: Exception) -> Fault:
    """Whose fault it is that a batch could not be read or written."""
    if isinstance(error, psycopg.Error):
        state = error.sqlstate
        if state is None:  # psycopg itself refused a value before it was sent
            return Fault(isinstance(error, psycopg.DataError), "refused before it was sent")
        reason = _OF_A_PAYLOAD.get(state[:2])
        return Fault(reason is not None, reason or f"SQLSTATE {state} concerns every payload")
    if isinstance(error, _OF_READING):
        return Fault(True, f"{type(error).__name__} while it was read")
    return Fault(False, f"{type(error).__name__} is no fault of a payload")
