"""Runs a program that uses libpq (psql, pg_dump) with a login of this database.

The address goes into a service file and the password into a password file, both readable by their
owner alone and deleted when the program ends. Arguments would be readable by every user of the machine,
and environment variables by every program that it starts.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from lightfast_pipelines.cli.root import Failure

_SERVICE = "lightfast"
# They would override the files: libpq looks at them first.
_OVERRIDDEN = ("PGPASSWORD", "PGPASSFILE", "PGSERVICE", "PGSERVICEFILE", "PGOPTIONS")


def run(program: str, arguments: Sequence[str], address: str) -> int:
    """Returns the program's exit code."""
    with tempfile.TemporaryDirectory(prefix="lightfast-") as folder:
        variables = write_login(Path(folder), address)
        kept = _without_secrets(os.environ)
        try:
            child = subprocess.Popen([program, *arguments], env={**kept, **variables})
        except OSError as error:
            raise Failure(f"{program}: {error.strerror}") from error
        with _passing_signals_on(child):
            code = child.wait()
    # What a shell reports for a program that a signal ended.
    return code if code >= 0 else 128 - code


@contextmanager
def _passing_signals_on(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """Ctrl-C reaches the child by itself (in psql it cancels a query). A signal that would end this
    process ends the child first, so that the files are deleted."""

    def pass_on(number: int, _: object) -> None:
        child.send_signal(number)

    handlers = {signal.SIGINT: lambda *_: None, signal.SIGTERM: pass_on, signal.SIGHUP: pass_on}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def write_login(folder: Path, address: str) -> dict[str, str]:
    """Writes both files; returns the variables by which libpq finds them."""
    from psycopg.conninfo import conninfo_to_dict

    parts = {name: str(value) for name, value in conninfo_to_dict(address).items()}
    password = parts.pop("password", None)
    if any("\n" in value or value != value.strip() for value in parts.values()):
        raise Failure("the database's address has a line end or outer blanks in one of its parts")
    service = folder / "service.conf"
    _write(service, "\n".join([f"[{_SERVICE}]", *(f"{n}={v}" for n, v in parts.items()), ""]))
    variables = {"PGSERVICEFILE": str(service), "PGSERVICE": _SERVICE}
    if password is not None:
        if "\n" in password or "\r" in password:
            raise Failure("the database's password has a line end, which no password file can hold")
        passfile = folder / "pgpass"
        # A colon separates the fields of the file.
        escaped = password.replace("\\", "\\\\").replace(":", "\\:")
        _write(passfile, f"*:*:*:*:{escaped}\n")
        variables["PGPASSFILE"] = str(passfile)
    return variables


def _write(path: Path, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "w") as file:
        file.write(text)


def _without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without secrets: psql shows it to its user (`\\getenv`, `\\!`)."""
    from lightfast_pipelines.settings import Settings

    hidden = {*_OVERRIDDEN, *Settings.secret_names()}
    return {name: value for name, value in environment.items() if name not in hidden}
