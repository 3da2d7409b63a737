"""Decides whether an error in a batch is the fault of a payload or of the machine.

A payload at fault becomes a dead letter. A fault of the machine (no connection, a missing column or
right, a full disk, a bug in a statement) would hit every payload: it ends the run and leaves the queue
as it was. Postgres tells the two apart by SQLSTATE; the exception's class is too coarse ("index row
size exceeds the maximum" is an OperationalError).
"""

from __future__ import annotations

import psycopg

from lightfast_pipelines.domain.secrets.masking import mask_text

# The first two digits; see postgresql.org/docs/current/errcodes-appendix.html.
_SQLSTATES_OF_A_PAYLOAD = {
    "21",  # a duplicate row
    "22",  # a value that Postgres does not accept
    "23",  # a row that violates a constraint
    "54",  # a value that is too large for an index, a row or a stack
}
_ERRORS_OF_READING = (
    ValueError,
    LookupError,
    TypeError,
    ArithmeticError,
    AttributeError,
    AssertionError,
    RecursionError,
)


def is_fault_of_payload(error: Exception) -> bool:
    """Whether a payload, and not the machine, is why a batch could not be read or written."""
    if not isinstance(error, psycopg.Error):
        return isinstance(error, _ERRORS_OF_READING)
    if error.sqlstate is None:  # psycopg itself refused a value before it was sent
        return isinstance(error, psycopg.DataError)
    return error.sqlstate[:2] in _SQLSTATES_OF_A_PAYLOAD


def describe_error(error: Exception) -> str:
    """What failed and where, with secrets masked and the message shortened."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = ""
    if trace is not None:
        name = trace.tb_frame.f_globals.get("__name__", "?")
        where = f" at {name}:{trace.tb_lineno}"
    # Postgres stores neither NUL nor a lone surrogate.
    text = str(error).replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()
    return f"{type(error).__name__}{where}: {mask_text(text)[:120]}"
