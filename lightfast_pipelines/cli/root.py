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
    """A failure that a user can act on; its message says everything in one line."""


class _Commands(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            if isinstance(error, typer.TyperException) and "message" in vars(error):
                # Wrong usage: typer prints the message as it is, and it may quote a file's name.
                vars(error)["message"] = on_one_line(vars(error)["message"])
                raise
            message = explain(error)
            if message is None:
                sys.excepthook = _print_traceback
                raise
            # Errors other than Failure may quote what a provider answered.
            say(f"lightfast: {message if isinstance(error, Failure) else on_one_line(message)}")
            raise typer.Exit(1) from error


def _print_traceback(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """As Python prints it, but safe to show: an error's message may quote text from outside."""
    sys.stderr.write(printable("".join(format_exception(kind, error, trace))))


# Errors whose message is written for an operator: (module, class).
OPERATOR_ERRORS = (
    ("lightfast_pipelines.store.migrate", "MigrationError"),
    ("lightfast_pipelines.store.logins", "LoginError"),
    ("lightfast_pipelines.store.linked_resources", "LinkRefusedError"),
    ("lightfast_pipelines.store.installations", "InstallationError"),
    ("lightfast_pipelines.store.sealed", "SealedError"),
    ("lightfast_pipelines.provider_api.client", "CallFailedError"),
    ("lightfast_pipelines.backfill.request", "BackfillError"),
    ("lightfast_pipelines.export.errors", "ExportError"),
    ("lightfast_pipelines.people.deciding", "DecisionRefusedError"),
    ("lightfast_pipelines.settings.mistakes", "SettingsError"),
)


def explain(error: Exception) -> str | None:
    """One line for an error that a user can act on; None for a bug of this program."""
    if isinstance(error, Failure):
        return str(error)
    if isinstance(error, OSError):
        return None if error.errno == errno.EPIPE else _explain_os_error(error)
    # A class can only have been raised if its module is loaded, so nothing needs to be imported.
    if _is_one_of(error, "lightfast_pipelines.embedded_postgres", "EmbeddedPostgresError"):
        return f"the embedded Postgres: {error}"
    if any(_is_one_of(error, module, name) for module, name in OPERATOR_ERRORS):
        return str(error)
    if _is_one_of(error, "psycopg", "Error"):
        return _explain_database_error(error)
    return None


def _is_one_of(error: Exception, module: str, name: str) -> bool:
    error_class = getattr(sys.modules.get(module), name, None)
    return isinstance(error_class, type) and isinstance(error, error_class)


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
        return f"the database: {line} (was the schema dropped? run `lightfast db migrate`)"
    # A malformed address raises a ProgrammingError without an SQLSTATE.
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
