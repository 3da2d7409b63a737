"""`lightfast backfill`: the history of linked resources, read in this process."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from lightfast_pipelines.cli.console import (
    AsJson,
    Meter,
    as_rows,
    meter,
    print_json,
    print_table,
    say,
    show,
)
from lightfast_pipelines.cli.opening import (
    a_connection,
    known_provider,
    the_database,
    the_workspace,
)
from lightfast_pipelines.cli.root import Failure
from lightfast_pipelines.cli.times import time_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lightfast_pipelines.backfill.estimate import TotalEstimate, UnitEstimate
    from lightfast_pipelines.backfill.request import (
        BackfillProgress,
        BackfillRequest,
        BackfillResult,
    )
    from lightfast_pipelines.store.backfills import Backfill
    from lightfast_pipelines.store.database import Database

backfill_app = typer.Typer(
    help="Read the providers' history of linked resources.", invoke_without_command=True
)


@backfill_app.callback()
def backfill(  # noqa: PLR0913, PLR0917 - options, each by its name
    context: typer.Context,
    workspace: Annotated[
        str | None, typer.Option("--workspace", "-w", help="Workspace (slug, or org/slug).")
    ] = None,
    provider: Annotated[
        str | None, typer.Option("--provider", "-p", help="Of this provider only.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since", help="From when on: 2025-01-31, 90d for ninety days back, yesterday, ..."
        ),
    ] = None,
    until: Annotated[str | None, typer.Option("--until", help="Until when; default: now.")] = None,
    resource: Annotated[
        list[str] | None,
        typer.Option("--resource", "-r", help="Of this resource only (id or name); repeatable."),
    ] = None,
    entity_type: Annotated[
        list[str] | None,
        typer.Option("--type", "-t", help="This entity type only (pull_request, ...); repeatable."),
    ] = None,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Say what it would cost, and read nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Read the history of a workspace's linked resources since some day.

    What is covered already is not asked for again; one that is killed goes on where it was. What it
    reads waits for `lightfast process` or a running Dagster.
    """
    if context.invoked_subcommand is not None:
        return
    if workspace is None or since is None:
        raise typer.BadParameter("say --workspace and --since")
    if provider is not None:
        known_provider(provider)
    now = datetime.now(UTC)
    with the_database() as database:
        request = _request(
            database,
            workspace,
            provider,
            (
                time_option(since, "--since", now=now),
                time_option(until, "--until", now=now) if until else now,
            ),
            (resource or [], entity_type or []),
        )
        if estimate:
            _print_estimate(database, request, as_json)
        else:
            _run(database, request, as_json)


def _request(
    database: Database,
    workspace: str,
    provider: str | None,
    span: tuple[datetime, datetime],
    only: tuple[Sequence[str], Sequence[str]],
) -> BackfillRequest:
    from lightfast_pipelines.backfill.request import BackfillRequest
    from lightfast_pipelines.cli.opening import the_operator
    from lightfast_pipelines.store.backfills import find_sources

    since, until = span
    if since >= until:
        raise typer.BadParameter(
            f"--since ({since:%Y-%m-%d %H:%M}Z) is not before --until ({until:%Y-%m-%d %H:%M}Z)"
        )
    with database.connect() as conn:
        place = the_workspace(conn, workspace)
        sources = find_sources(conn, workspace_id=place.id, provider=provider, resources=only[0])
    if not sources:
        raise Failure(
            f"nothing is linked to {workspace} that was asked for: see `lightfast integration list`"
        )
    return BackfillRequest(
        sources=sources,
        since=since,
        until=min(until, datetime.now(UTC)),
        entity_types=only[1],
        provider=provider,
        requested_by=the_operator(),
    )


def _print_estimate(database: Database, request: BackfillRequest, as_json: bool) -> None:
    from lightfast_pipelines.backfill.run import estimate_backfill
    from lightfast_pipelines.provider_api.access import StoredAccess
    from lightfast_pipelines.settings import settings

    apis = StoredAccess(database, settings(), request.requested_by)
    found, units, refused = estimate_backfill(database, apis, request)
    if as_json:
        print_json(
            {
                **found.shown(),
                "units": [one.shown() for one in units],
                "refused": list(refused.values()),
            }
        )
    else:
        rows = [
            (
                row["unit"],
                row["requests"],
                row["items"],
                "" if row["exact"] else "about",
                row["note"],
            )
            for row in (one.shown() for one in units)
        ]
        print_table(("UNIT", "REQUESTS", "ITEMS", "", "NOTE"), rows)
        show(_expected_words(found))
    if refused:
        raise Failure("; ".join(sorted(set(refused.values()))))


def _expected_words(found: TotalEstimate) -> str:
    minutes = f"{found.seconds / 60:,.0f} min" if found.seconds >= 120 else f"{found.seconds:.0f} s"
    return (
        f"expected: {found.requests:,} requests ({found.probes:,} of them for this estimate), "
        f"{found.items:,} items, about {minutes}"
    )


def _run(database: Database, request: BackfillRequest, as_json: bool) -> None:
    from lightfast_pipelines.backfill.request import BackfillListener
    from lightfast_pipelines.backfill.run import run_backfill
    from lightfast_pipelines.provider_api.access import StoredAccess
    from lightfast_pipelines.settings import settings

    with meter("estimate", unit="requests") as bar:
        shown = _Shown(bar)
        result = run_backfill(
            database,
            StoredAccess(database, settings(), request.requested_by),
            request,
            first_day=settings().earliest_day,
            listener=BackfillListener(shown.estimate, shown.page),
        )
    if not result.failures and result.status != "cancelled":
        _record(database, request)
    _print_result(result, as_json)
    if result.status == "cancelled":
        raise Failure("cancelled; what was read is kept")
    if result.failures:
        raise Failure("; ".join(result.failures))


def _record(database: Database, request: BackfillRequest) -> None:
    """Lets Dagster's catalog show the days that were read, as after a run of the asset."""
    from datetime import timedelta

    from lightfast_pipelines.store.partition_start import read_start
    from lightfast_pipelines.store.unreported import record_days

    with database.connect(application_name="lightfast backfill") as conn:
        first = max(request.since.date(), read_start(conn))
        last = (request.until - timedelta(microseconds=1)).date()
        days = (first + timedelta(days=n) for n in range((last - first).days + 1))
        record_days(conn, "provider_history", days)


class _Shown:
    """The bar: requests of those expected, and where the walk is."""

    def __init__(self, bar: Meter) -> None:
        self._bar, self._done = bar, 0

    def estimate(self, found: TotalEstimate, units: Sequence[UnitEstimate]) -> None:  # noqa: ARG002
        say(_expected_words(found))
        self._bar.stage("history", found.requests)
        self._bar.advance(found.probes)
        self._done = found.probes

    def page(self, progress: BackfillProgress) -> None:
        self._bar.advance(progress.requests - self._done)
        self._done = progress.requests


def _print_result(result: BackfillResult, as_json: bool) -> None:
    units = [one.shown() for one in result.units]
    if as_json:
        print_json(
            {
                "status": result.status,
                **result.actual(),
                "expected": result.expected.shown(),
                "units": [
                    {**row, "troubles": [asdict(t) for t in one.troubles]}
                    for row, one in zip(units, result.units, strict=True)
                ],
                "backfills": result.backfill_ids,
            }
        )
        return
    columns = list(units[0]) if units else []
    print_table([name.upper() for name in columns], as_rows(units, columns))
    show(
        f"{result.status}: {result.records:,} records ({result.stored:,} new) in {result.requests:,} "
        f"requests, {result.expected.requests:,} expected, in {result.seconds:.1f} s"
    )


@backfill_app.command("status")
def status(
    workspace: Annotated[
        str | None, typer.Option("--workspace", "-w", help="Of this workspace only.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What was asked for lately, and what is covered."""
    from lightfast_pipelines.store.backfills import end_dead, list_backfills
    from lightfast_pipelines.store.coverage import list_coverage

    with a_connection() as conn:
        end_dead(conn, datetime.now(UTC))
        place = the_workspace(conn, workspace).id if workspace else None
        runs, covered = list_backfills(conn, workspace_id=place), list_coverage(conn, place)
    if as_json:
        print_json(
            {"backfills": [asdict(r) for r in runs], "coverage": [asdict(c) for c in covered]}
        )
        return
    print_table(
        (
            "ID",
            "WORKSPACE",
            "PROVIDER",
            "SINCE",
            "UNTIL",
            "STATUS",
            "REQUESTS",
            "RECORDS",
            "BY",
            "ERROR",
        ),
        [_row(run) for run in runs],
    )
    show()
    print_table(
        (
            "WORKSPACE",
            "RESOURCE",
            "TYPE",
            "STATUS",
            "COVERED",
            "RECORDS",
            "EXPECTED",
            "SEEN",
            "ERROR",
        ),
        [
            (
                *(one.workspace, f"{one.provider} {one.resource_name or one.resource_id}"),
                *(one.entity_type, one.status),
                ", ".join(f"{i.since:%Y-%m-%d}..{i.until:%Y-%m-%d %H:%M}" for i in one.covered),
                *(one.records, one.expected, one.stored, one.error),
            )
            for one in covered
        ],
    )


def _row(run: Backfill) -> tuple[object, ...]:
    done, wanted = run.actual.get("requests", 0), run.estimate.get("requests", 0)
    return (
        *(run.id, run.workspace, run.provider or "all", run.since.date(), run.until.date()),
        *(
            run.status,
            f"{done}/{wanted}",
            run.actual.get("records", 0),
            run.requested_by,
            run.error,
        ),
    )


@backfill_app.command("cancel")
def cancel(
    number: Annotated[
        int | None, typer.Argument(help="Which one (`lightfast backfill status`); default: all.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """End a running backfill within a page; what it read stays."""
    from lightfast_pipelines.cli.opening import the_operator
    from lightfast_pipelines.store.backfills import ask_to_cancel, end_dead, list_backfills

    with a_connection() as conn:
        end_dead(conn, datetime.now(UTC))
        wanted = (
            [number]
            if number is not None
            else [run.id for run in list_backfills(conn, limit=1_000) if run.status == "running"]
        )
        asked = [one for one in wanted if ask_to_cancel(conn, one, the_operator()) is not None]
        conn.commit()
    if as_json:
        print_json({"cancelled": asked})
    elif asked:
        show(f"asked to end: {', '.join(map(str, asked))}")
    if not asked:
        raise Failure(
            "no such backfill is running" if number is not None else "no backfill is running"
        )
