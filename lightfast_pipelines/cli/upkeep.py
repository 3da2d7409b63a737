"""Commands for an operator: `replay`, `rebuild`, `docs`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from lightfast_pipelines.cli.console import AsJson, print_json, say, show
from lightfast_pipelines.cli.opening import a_connection, the_workspace
from lightfast_pipelines.cli.root import Failure


class Replayable(StrEnum):
    dlq = "dlq"
    parked = "parked"


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
    with a_connection() as conn, job_lock(conn, "capture", wait=True, waits=say):
        count = start_anew(conn)
        conn.commit()
    _say_queued(count, as_json)


def _say_queued(count: int, as_json: bool) -> None:
    if as_json:
        print_json({"queued": count})
    else:
        show(f"{count:,} deliveries wait: a running Dagster takes them, or `lightfast process`")


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
