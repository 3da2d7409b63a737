"""Commands for an operator: `replay`, `rebuild`, `db`, `docs`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from lightfast_pipelines.cli.console import AsJson, print_json, say, show
from lightfast_pipelines.cli.opening import a_connection, the_database, the_workspace
from lightfast_pipelines.cli.root import Failure

db_app = typer.Typer(help="The database: its address, its schema, a prompt.", no_args_is_help=True)


class Replayable(StrEnum):
    dlq = "dlq"
    parked = "parked"


class Role(StrEnum):
    pipeline = "pipeline"
    analyst = "analyst"
    receiver = "receiver"
    migrator = "migrator"


def replay(
    status: Annotated[
        list[Replayable] | None,
        typer.Option("--status", help="dlq, parked, or both by repeating it; default: both."),
    ] = None,
    workspace: Annotated[
        str | None, typer.Option("--workspace", "-w", help="Of this workspace only (slug).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Put dead or parked deliveries back into the queue."""
    from lightfast_pipelines.capture.requeue import replay as requeue

    statuses = sorted({item.value for item in (status or list(Replayable))})
    with a_connection() as conn:
        count = requeue(conn, statuses, the_workspace(conn, workspace).id if workspace else None)
        conn.commit()
    _say_queued(count, as_json)


def rebuild(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False, as_json: AsJson = False
) -> None:
    """Derive everything anew from the deliveries.

    Inputs stay: payloads, links, decisions. Rows whose payload is gone stay too.
    """
    import sys

    from lightfast_pipelines.capture.requeue import rebuild as start_anew
    from lightfast_pipelines.store.locks import job_lock

    if not yes and sys.stdin.isatty():
        typer.confirm("Derive everything anew?", abort=True, err=True)
    with a_connection() as conn, job_lock(conn, "capture", wait=True):
        count = start_anew(conn)
        conn.commit()
    _say_queued(count, as_json)


def _say_queued(count: int, as_json: bool) -> None:
    if as_json:
        print_json({"queued": count})
    else:
        show(f"{count:,} deliveries wait: a running Dagster takes them, or `lightfast process`")


@db_app.command("url")
def url(
    role: Annotated[Role, typer.Option("--role", help="With whose rights.")] = Role.pipeline,
) -> None:
    """Print a libpq URL; starts the embedded server if need be, which stays for minutes after."""
    with the_database(create=True) as database:
        show(database.url(role.value))


@db_app.command("migrate")
def migrate(as_json: AsJson = False) -> None:
    """Bring the schema up to date and print its revision."""
    with the_database(create=True) as database:
        revision = database.migrate()
    if as_json:
        print_json({"revision": revision})
    else:
        show(f"schema at revision {revision}")


@db_app.command(
    "psql",
    context_settings={
        "allow_extra_args": True,
        "ignore_unknown_options": True,
        "help_option_names": ["--help"],
    },
)
def psql(
    ctx: typer.Context,
    role: Annotated[Role, typer.Option("--role", help="With whose rights.")] = Role.analyst,
) -> None:
    """Open psql on the memory; arguments after it go to psql (`lightfast db psql -c 'SELECT 1'`)."""
    import os
    import subprocess

    from lightfast_pipelines.settings.addresses import with_options, without_password

    with the_database() as database:
        # In the address, because its options hide those of PGOPTIONS.
        address = with_options(
            database.url(role.value), "-c search_path=lightfast,public,extensions"
        )
        address, password = without_password(address)
        # Not as an argument: every user of the machine can read those.
        environment = {**os.environ, **({"PGPASSWORD": password} if password else {})}
        code = subprocess.run(
            [_psql_program(), address, *ctx.args], env=environment, check=False
        ).returncode
    raise typer.Exit(code)


def _psql_program() -> str:
    """The one that comes with the embedded server: a system's older one stumbles over newer catalogs."""
    import shutil

    from lightfast_pipelines.store.embedded.binaries import installed_binaries

    bundled = installed_binaries() / "bin" / "psql"
    found = str(bundled) if bundled.exists() else shutil.which("psql")
    if found is None:
        raise Failure(
            "no psql on this machine: install a Postgres client, or use the address of `lightfast db url`"
        )
    return found


def docs(
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 if a page is out of date.")
    ] = False,
) -> None:
    """Write the generated pages of docs/ anew."""
    from lightfast_pipelines.cli.pages import CHECKOUT, stale_pages

    if not (CHECKOUT / "docs").is_dir():
        raise Failure(f"there is no docs folder in {CHECKOUT}: run this from a checkout")
    stale = stale_pages()
    if check and stale:
        raise Failure(
            f"out of date: {', '.join(sorted(p.name for p in stale))}; run `lightfast docs`"
        )
    for path, text in stale.items():
        path.write_text(text)
        say(f"wrote {path.relative_to(CHECKOUT)}")
    if not stale:
        say("nothing to write: the generated pages are up to date")
