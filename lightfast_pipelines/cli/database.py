"""`lightfast db`: the database's address, schema and logins, and programs that connect to it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lightfast_pipelines.cli.console import print_result, say, show
from lightfast_pipelines.cli.opening import command_database
from lightfast_pipelines.cli.options import AsJson
from lightfast_pipelines.cli.root import Failure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lightfast_pipelines.store.logins import Role

db_app = typer.Typer(
    help="The database: its address, schema and logins, and a prompt.", no_args_is_help=True
)


class RoleName(StrEnum):
    pipeline = "pipeline"
    analyst = "analyst"
    receiver = "receiver"
    migrator = "migrator"


@db_app.command("url")
def url(
    role: Annotated[
        RoleName, typer.Option("--role", help="The role to connect as.")
    ] = RoleName.pipeline,
) -> None:
    """Print a libpq URL. If needed, starts the embedded server, which then runs for some minutes.

    `--role analyst` gives an address for pandas, DuckDB or a BI tool: it reads, and finds tables without
    their schema's name. On your own server, the URL has the password of that role, never the owner's.
    """
    with command_database(create=True) as database:
        show(database.login_url(role.value))


@db_app.command("migrate")
def migrate(as_json: AsJson = False) -> None:
    """Bring the schema up to date and print its revision."""
    with command_database(create=True) as database:
        revision = database.migrate()
    print_result(as_json, {"revision": revision}, f"schema at revision {revision}")


@db_app.command("index-vectors")
def index_vectors(as_json: AsJson = False) -> None:
    """Make and drop the indexes of vectors of large workspaces.

    The nightly upkeep does this where it has the owner's login.
    """
    from dataclasses import asdict

    from lightfast_pipelines.store.vector_indexes import keep_indexes

    with (
        command_database() as database,
        database.connect("migrator", autocommit=True, application_name="lightfast-command") as conn,
    ):
        report = keep_indexes(conn)
    made, dropped = ", ".join(report.made) or "none", ", ".join(report.dropped) or "none"
    print_result(
        as_json, asdict(report), f"{report.indexes} indexes: made {made}; dropped {dropped}"
    )


@db_app.command("roles")
def roles(
    to: Annotated[
        Path | None,
        typer.Option("--to", help="Write the settings to this new file, which only you can read."),
    ] = None,
    renew: Annotated[
        bool, typer.Option("--renew", help="Make new passwords for roles that can log in already.")
    ] = False,
) -> None:
    """Make a login for each role and print the settings.

    This is for your own server. The passwords are printed only once and stored nowhere.
    """
    import secrets

    from lightfast_pipelines.settings import settings
    from lightfast_pipelines.store.role_passwords import make_logins, other_databases

    owner = settings().database_url
    if settings().is_embedded:
        raise Failure(
            "the embedded database identifies users by their account on this machine and has no passwords: "
            "this command is for your own server (LIGHTFAST_DATABASE_URL)"
        )
    if owner is None:
        raise Failure("this needs the owner's login: set LIGHTFAST_DATABASE_URL to it")
    if to is not None and (to.exists() or not to.absolute().parent.is_dir()):
        raise Failure(f"{to} exists already, or its folder does not: name a new file")
    with command_database(create=True) as database, database.connect("migrator") as conn:
        addresses = make_logins(
            conn,
            owner.get_secret_value(),
            renew=renew,
            new_password=lambda: secrets.token_urlsafe(32),
        )
        others = other_databases(conn)
    _print_logins(addresses, to)
    _test_logins(addresses)
    if others:
        say(
            f"like every login of this server, these may also connect to {', '.join(others)} and read "
            'what is open to PUBLIC: REVOKE CONNECT ON DATABASE "..." FROM PUBLIC prevents that'
        )


def _print_logins(addresses: Mapping[Role, str], to: Path | None) -> None:
    import os

    from lightfast_pipelines.store.logins import SETTINGS

    lines = [f"{SETTINGS[role]}={address}" for role, address in addresses.items()]
    if to is None:
        for line in lines:
            show(line)
    else:
        fd = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "w") as file:
            file.write("".join(f"{line}\n" for line in lines))
        say(f"wrote {to}")
    say(
        "give the first only to the receiver, the second to Dagster and `lightfast`, the third to people; "
        "keep LIGHTFAST_DATABASE_URL for `lightfast db migrate`"
    )


def _test_logins(addresses: Mapping[Role, str]) -> None:
    import psycopg

    for role, address in addresses.items():
        try:
            psycopg.connect(address, connect_timeout=10).close()
        except psycopg.Error as error:
            line = next(iter(str(error).strip().splitlines()), type(error).__name__)
            say(f"the new login of {role} cannot connect (does pg_hba.conf allow it?): {line}")


_PASSES_ARGUMENTS_ON = {
    "allow_extra_args": True,
    "ignore_unknown_options": True,
    "help_option_names": ["--help"],
}


@db_app.command("psql", context_settings=_PASSES_ARGUMENTS_ON)
def psql(
    ctx: typer.Context,
    role: Annotated[
        RoleName, typer.Option("--role", help="The role to connect as.")
    ] = RoleName.analyst,
) -> None:
    """Open psql.

    Other arguments are passed to psql: `lightfast db psql -c 'SELECT 1'`.
    """
    from lightfast_pipelines.cli import libpq
    from lightfast_pipelines.settings.addresses import with_options

    with command_database() as database:
        address = with_options(
            database.login_url(role.value), "-c search_path=lightfast,public,extensions"
        )
        code = libpq.run(_program("psql"), ctx.args, address)
    raise typer.Exit(code)


@db_app.command("run", context_settings=_PASSES_ARGUMENTS_ON)
def run(
    ctx: typer.Context,
    role: Annotated[
        RoleName, typer.Option("--role", help="The role to connect as.")
    ] = RoleName.analyst,
) -> None:
    """Run a program that uses libpq.

    For example `lightfast db run --role migrator pg_dump -Fc`. The program finds the address and the
    password in files that are deleted when it ends.
    """
    from lightfast_pipelines.cli import libpq

    if not ctx.args:
        raise typer.BadParameter("name the program to run", param_hint="PROGRAM")
    with command_database() as database:
        code = libpq.run(_program(ctx.args[0]), ctx.args[1:], database.login_url(role.value))
    raise typer.Exit(code)


def _program(name: str) -> str:
    """The embedded server's program if it has one: the system's may be too old for the server."""
    import shutil

    from lightfast_pipelines.embedded_postgres.binaries import installed_binaries

    bundled = installed_binaries() / "bin" / name
    path = str(bundled) if bundled.exists() else shutil.which(name)
    if path is None:
        raise Failure(
            f"no {name} on this machine: install a Postgres client, or use the address of `lightfast db url`"
        )
    return path
