"""Commands for operators and developers: `replay`, `rebuild`, `docs`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from lightfast_pipelines.cli.console import print_json, print_result, say, show
from lightfast_pipelines.cli.opening import command_connection, workspace_named
from lightfast_pipelines.cli.options import AsJson, OnlyWorkspace, Yes
from lightfast_pipelines.cli.root import Failure


class Replayable(StrEnum):
    dlq = "dlq"
    parked = "parked"


class ReplayStage(StrEnum):
    embeddings = "embeddings"
    hosted_embeddings = "hosted_embeddings"
    clusters = "clusters"
    people = "people"
    consolidation = "consolidation"
    profiles = "profiles"
    summaries = "summaries"
    layers = "layers"


def replay(
    status: Annotated[
        list[Replayable] | None,
        typer.Option("--status", help="Deliveries of this status: dlq or parked; may be repeated."),
    ] = None,
    stage: Annotated[
        list[ReplayStage] | None,
        typer.Option("--stage", help="What this stage has given up on; may be repeated."),
    ] = None,
    workspace: OnlyWorkspace = None,
    as_json: AsJson = False,
) -> None:
    """Try dead letters and parked deliveries again.

    Also tries again what later stages have given up on. --status and --stage narrow it down.
    """
    from lightfast_pipelines.inbox.requeue import replay as requeue
    from lightfast_pipelines.store.stage_failures import STAGES, try_again

    everything = not (status or stage)
    statuses = sorted({item.value for item in (Replayable if everything else status or ())})
    stages = [name for name in STAGES if everything or name in (stage or ())]
    with command_connection() as conn:
        only = workspace_named(conn, workspace) if workspace else None
        count = requeue(conn, statuses, only) if statuses else 0
        again = try_again(conn, stages, only.id if only else None)
        conn.commit()
    if as_json:
        print_json({"queued": count, **({"again": again} if stages else {})})
        return
    if statuses:
        _say_queued(count, as_json)
    if sum(again.values()):
        counts = ", ".join(f"{number:,} of {name}" for name, number in again.items() if number)
        show(f"taken up again by the stages: {counts}")
    elif stages and not statuses:
        show("these stages have not given up anything")


def rebuild(yes: Yes = False, as_json: AsJson = False) -> None:
    """Derive everything again from the deliveries.

    Payloads, links and decisions are kept, and so are rows whose payload is gone.
    """
    import sys

    from lightfast_pipelines.inbox.requeue import hold_stages
    from lightfast_pipelines.inbox.requeue import rebuild as requeue_all

    if not yes and sys.stdin.isatty():
        typer.confirm("Derive everything again?", abort=True, err=True)
    with command_connection() as conn, hold_stages(conn, say):
        count = requeue_all(conn)
        conn.commit()
    _say_queued(count, as_json)


def _say_queued(count: int, as_json: bool) -> None:
    text = f"{count:,} deliveries are waiting for a running Dagster, or for `lightfast process`"
    print_result(as_json, {"queued": count}, text)


def docs(
    check: Annotated[
        bool, typer.Option("--check", help="Only check; exit 1 if a page is out of date.")
    ] = False,
) -> None:
    """Write the generated pages of docs/."""
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
