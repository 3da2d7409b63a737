"""Whose fault an error of a batch is: a payload's, which ends in the dead letters, or the machine's.

A fault of the machine (no connection, a missing column or right, a full disk, a bug in a statement)
would strike every payload alike: it ends the run and leaves the queue as it was. Postgres says which
of the two it is by SQLSTATE; the class of the exception says too little ("index row size exceeds the
maximum" is an OperationalError).
"""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

from lightfast_pipelines.domain.secrets.masking import mask_text

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


def describe_error(error: Exception) -> str:
    """What failed and where, without the payload's text (messages may quote it)."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = ""
    if trace is not None:
        name = trace.tb_frame.f_globals.get("__name__", "?")
        where = f" at {name}:{trace.tb_lineno}"
    # Neither NUL nor a lone surrogate can be stored.
    text = str(error).replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()
    return f"{type(error).__name__}{where}: {mask_text(text)[:120]}"
