"""The root of `lightfast`: the app that commands register with, and how expected errors end.

An expected error is one line on stderr (what, where, what to do) and exit 1; wrong usage is exit 2.
"""

from __future__ import annotations

import errno
import sys
from traceback import format_exception
from types import TracebackType
from typing import Any

import typer
from typer.core import TyperGroup

from lightfast_pipelines.cli.console import on_one_line, printable, say


class Failure(Exception):
    """A failure that a user can act on; its message is the whole story, in one line."""


class _Commands(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            if isinstance(error, typer.TyperException) and "message" in vars(error):
                # Wrong usage: printed as it is, and may quote the name of a file.
                vars(error)["message"] = on_one_line(vars(error)["message"])
                raise
            message = explain(error)
            if message is None:
                sys.excepthook = _print_traceback
                raise
            # Other errors than our own may quote what a provider answered.
            say(f"lightfast: {message if isinstance(error, Failure) else on_one_line(message)}")
            raise typer.Exit(1) from error


def _print_traceback(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """As Python does, but an error's message may quote what came from outside."""
    sys.stderr.write(printable("".join(format_exception(kind, error, trace))))


# Modules and their errors whose message is written for an operator.
_TELLING = (
    ("store.migrate", "MigrationError"),
    ("store.logins", "LoginError"),
    ("store.links", "LinkRefusedError"),
    ("store.installations", "InstallationError"),
    ("store.sealed", "SealedError"),
    ("history.client", "CallFailedError"),
    ("history.request", "BackfillError"),
    ("settings.mistakes", "SettingsError"),
)


def explain(error: Exception) -> str | None:
    """One line for an error that can be expected; None for one that is a mistake of ours."""
    if isinstance(error, Failure):
        return str(error)
    if isinstance(error, OSError):
        return None if error.errno == errno.EPIPE else _explain_os_error(error)
    # A type can only have been raised if its module was loaded: nothing is imported for this.
    if _is_one_of(error, "lightfast_pipelines.embedded_postgres", "EmbeddedPostgresError"):
        return f"the embedded Postgres: {error}"
    if any(_is_one_of(error, f"lightfast_pipelines.{m}", name) for m, name in _TELLING):
        return str(error)
    if _is_one_of(error, "psycopg", "Error"):
        return _explain_database_error(error)
    return None


def _is_one_of(error: Exception, module: str, name: str) -> bool:
    kind = getattr(sys.modules.get(module), name, None)
    return isinstance(kind, type) and isinstance(error, kind)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _explain_os_error(error: OSError) -> str:
    what = error.strerror or str(error)
    return f"{error.filename}: {what}" if error.filename else what


def _explain_database_error(error: Exception) -> str | None:
    line = _first_line(error)
    if _is_one_of(error, "psycopg.errors", "InsufficientPrivilege"):
        return f"the database: {line} (the role in LIGHTFAST_DATABASE_URL may not do this)"
    if "startup parameter" in line:
        return f"the database: {line} (a connection pooler? give the address of the server itself)"
    if _is_one_of(error, "psycopg.errors", "UndefinedTable"):
        return f"the database: {line} (was the schema dropped meanwhile? `lightfast db migrate`)"
    # An address that is not understood is a ProgrammingError without a code of the server's.
    if _is_one_of(error, "psycopg", "OperationalError") or getattr(error, "sqlstate", "") is None:
        return f"the database: {line} (LIGHTFAST_DATABASE_URL says where it is; unset: an embedded one)"
    return None


app = typer.Typer(
    name="lightfast",
    cls=_Commands,
    help="The memory of an engineering organisation.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
