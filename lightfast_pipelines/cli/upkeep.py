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


class ReplayStage(StrEnum):
    embeddings = "embeddings"
    clusters = "clusters"
    people = "people"
    consolidation = "consolidation"
    profiles = "profiles"
    summaries = "summaries"


def replay(
    status: Annotated[
        list[Replayable] | None,
        typer.Option("--status", help="Deliveries that are dlq, parked, or both by repeating it."),
    ] = None,
    stage: Annotated[
        list[ReplayStage] | None,
        typer.Option("--stage", help="What this stage gave up; may be repeated."),
    ] = None,
    workspace: Annotated[
        str | None, typer.Option("--workspace", "-w", help="Of this workspace only (slug).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Have dead or parked deliveries, and what later stages gave up, tried again.

    All of it without --status and --stage.
    """
    from lightfast_pipelines.inbox.requeue import replay as requeue
    from lightfast_pipelines.store.stage_failures import STAGES, try_again

    everything = not (status or stage)
    statuses = sorted({item.value for item in (Replayable if everything else status or ())})
    stages = [name for name in STAGES if everything or name in (stage or ())]
    with a_connection() as conn:
        place = the_workspace(conn, workspace) if workspace else None
        count = requeue(conn, statuses, place) if statuses else 0
        again = try_again(conn, stages, place.id if place else None)
        conn.commit()
    if as_json:
        print_json({"queued": count, **({"again": again} if stages else {})})
        return
    if statuses:
        _say_queued(count, as_json)
    if sum(again.values()):
        told = ", ".join(f"{number:,} of {name}" for name, number in again.items() if number)
        show(f"taken up again by the stages: {told}")
    elif stages and not statuses:
        show("these stages have given up nothing")


def rebuild(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False, as_json: AsJson = False
) -> None:
    """Derive everything anew from the deliveries.

    Inputs stay: payloads, links, decisions. Rows whose payload is gone stay too.
    """
    import sys

    from lightfast_pipelines.inbox.requeue import rebuild as start_anew
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
    from lightfast_pipelines.cli.opening import CHECKOUT
    from lightfast_pipelines.cli.pages import stale_pages

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
