"""Commands that only read: `status`, `waiting`, `digest`, `why`, `state`."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from lightfast_pipelines.cli.console import on_one_line, print_json, print_table, say, show
from lightfast_pipelines.cli.opening import (
    command_connection,
    command_database,
    default_embedder,
    workspace_named,
)
from lightfast_pipelines.cli.options import AsJson
from lightfast_pipelines.cli.root import Failure
from lightfast_pipelines.cli.things import NamedKey, one_key
from lightfast_pipelines.cli.times import time_option

_Workspace = Annotated[
    str | None,
    typer.Option(
        "--workspace", "-w", help="Workspace (slug); default: every workspace that has the key."
    ),
]


def status(as_json: AsJson = False) -> None:
    """Show counts by status, what is waiting, lag and sizes.

    Also shows limits that are exceeded, whether clocks differ, and the processes of `lightfast up`.
    """
    from dataclasses import asdict
    from datetime import UTC, datetime

    from lightfast_pipelines.cli.stack.state import read_state
    from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
    from lightfast_pipelines.inbox.health import measure_health
    from lightfast_pipelines.settings import settings
    from lightfast_pipelines.store.breaches import open_breaches
    from lightfast_pipelines.store.locks import WORKER_CAPTURES, present
    from lightfast_pipelines.store.status import read_status

    with command_database() as database, database.connect() as conn:
        now = datetime.now(UTC)
        figures = measure_health(database, conn, model=WordLlamaEmbedder().name, now=now)
        sections: dict[str, Any] = {
            "database": database.describe(),
            **read_status(conn, datetime.now(UTC)),
            "health": {
                figure.kind: round(figure.value, 3) if figure.value % 1 else int(figure.value)
                for figure in figures
                # A table each: for a program that draws them, not for a person's terminal.
                if as_json or figure.name != "table_size"
            },
            "breaches": [asdict(breach) for breach in open_breaches(conn)],
            "worker": "at work" if present(conn, [WORKER_CAPTURES]) else "none runs",
        }
    stack = read_state(settings().home.resolve())
    if stack.states:
        sections["lightfast up"] = stack.states
    if stack.deaths:
        sections["deaths under lightfast up"] = stack.deaths
    if as_json:
        print_json(sections)
    else:
        print_sections(sections)


def waiting(as_json: AsJson = False) -> None:
    """List what needs a person.

    These are resources to link, unknown shapes, dead letters, work that stages gave up on, identities
    that may be one person, old stubs, and limits of the pipeline's health that are exceeded.
    """
    from dataclasses import asdict
    from datetime import UTC, datetime

    from lightfast_pipelines.inbox.waiting import waiting_for_you
    from lightfast_pipelines.store.breaches import open_breaches

    with command_connection() as conn:
        sections = asdict(waiting_for_you(conn, now=datetime.now(UTC)))
        sections["breaches"] = [asdict(breach) for breach in open_breaches(conn)]
    if as_json:
        print_json(sections)
        return
    for title in ("unlinked", "unknown", "dead", "stuck", "doubtful", "stubs", "breaches"):
        rows = [
            {**row, "events": ", ".join(row["events"])} if "events" in row else row
            for row in sections[title]
        ]
        _print_section(title, rows)


def print_sections(sections: dict[str, Any]) -> None:
    for title, value in sections.items():
        _print_section(title, value)


def _print_section(title: str, value: object) -> None:
    if isinstance(value, dict):
        show(f"{title.replace('_', ' ')}:")
        for name, count in value.items():
            show(f"  {on_one_line(str(name)).replace('_', ' '):<28} {_number(count)}")
        if not value:
            show("  (none)")
    elif isinstance(value, list):
        show(f"{title.replace('_', ' ')}:")
        if value and isinstance(value[0], dict):
            columns = list(value[0])
            print_table([name.upper() for name in columns], [list(row.values()) for row in value])
        else:
            show(
                "  (none)"
                if not value
                else "\n".join(f"  {on_one_line(str(item))}" for item in value)
            )
    else:
        show(f"{title.replace('_', ' ')}: {_number(value)}")


def _number(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return on_one_line(str(value))


def digest(
    knowledge: Annotated[
        bool,
        typer.Option(
            "--knowledge", help="Include when each fact became known (equal only after a rebuild)."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print a hash of the current facts in each table.

    Equal facts have equal hashes, in any database and in any order of arrival.
    Exits with status 1 while anything is waiting: run `lightfast process` first.
    """
    from lightfast_pipelines.cli.process import waiting_words
    from lightfast_pipelines.processing import what_waits
    from lightfast_pipelines.store.digest import digest_lines

    with command_connection() as conn:
        started = time.monotonic()
        waits = what_waits(conn, default_embedder().name)
        if waits.total:
            raise Failure(
                f"no digest while work is waiting ({waiting_words(waits)}): run `lightfast process` first"
            )
        lines = digest_lines(conn, knowledge=knowledge)
        if time.monotonic() - started > 2:
            say(f"hashed {len(lines)} tables in {time.monotonic() - started:.1f} s")
    if as_json:
        print_json(dict(lines))
    else:
        for table, value in lines:
            show(f"{table} {value}")


def why(
    key: Annotated[
        str,
        typer.Argument(
            metavar="KEY",
            help="A thing as `lightfast show` takes it, the source_id or external_id of an observation, "
            "or the id of a delivery.",
        ),
    ],
    workspace: _Workspace = None,
    as_json: AsJson = False,
) -> None:
    """Explain where an entity or observation comes from, or why it is missing."""
    from lightfast_pipelines.store.why import explain

    with command_connection() as conn:
        only = workspace_named(conn, workspace) if workspace else None
        sections = explain(conn, key, only)
        if not sections and (meant := one_key(conn, key, workspace)) is not None:
            sections = explain(conn, meant, only)
    if as_json:
        print_json(sections)
    else:
        print_sections(sections)
    if not sections:
        raise Failure(f"nothing is known about {key!r}: no observation, entity or payload names it")


def state(
    key: NamedKey,
    at: Annotated[
        str | None,
        typer.Option("--at", help="The moment: 2026-05-01, 2d, yesterday, ...; default: now."),
    ] = None,
    as_known: Annotated[
        str | None,
        typer.Option("--as-known", help="Use what was known at this moment; default: now."),
    ] = None,
    workspace: _Workspace = None,
    as_json: AsJson = False,
) -> None:
    """Show the states of an entity at a given time.

    The states are those known now, or at the time of --as-known. Exits with status 1 if nothing is known
    about KEY, or if it may mean several things, which are then listed.
    """
    from datetime import UTC, datetime

    from lightfast_pipelines.store.states import states_at

    now = datetime.now(UTC)
    moment = time_option(at, "--at", now=now) if at else now
    known_at = time_option(as_known, "--as-known", now=now) if as_known else None
    with command_connection() as conn:
        only = workspace_named(conn, workspace) if workspace else None
        meant = one_key(conn, key, workspace)
        rows = [] if meant is None else states_at(conn, meant, moment, known_at, only)
    if as_json:
        print_json(rows)
    elif rows:
        columns = list(rows[0])
        print_table([name.upper() for name in columns], [list(row.values()) for row in rows])
    if meant is None:
        raise Failure(
            f"nothing is known about {key!r}: no entity has this key, alias or name (see `lightfast why`)"
        )
    if not rows:
        say(
            f"{meant} has no state at {moment.isoformat()}"
            + (f" as known at {known_at.isoformat()}" if known_at else "")
        )
