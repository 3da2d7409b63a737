"""`lightfast backfill`: reads the history of linked resources, in this process."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from lightfast_pipelines.cli.console import (
    Meter,
    as_rows,
    meter,
    print_json,
    print_table,
    say,
    show,
)
from lightfast_pipelines.cli.opening import (
    command_connection,
    command_database,
    workspace_named,
)
from lightfast_pipelines.cli.options import AsJson, OnlyProvider, OnlyWorkspace
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

backfill_app = typer.Typer(invoke_without_command=True)


@backfill_app.callback()
def backfill(  # noqa: PLR0913, PLR0917 - options, each passed by name
    context: typer.Context,
    workspace: Annotated[
        str | None, typer.Option("--workspace", "-w", help="Workspace (slug, or org/slug).")
    ] = None,
    provider: OnlyProvider = None,
    since: Annotated[
        str | None,
        typer.Option("--since", help="Start: 2025-01-31, 90d for ninety days ago, yesterday, ..."),
    ] = None,
    until: Annotated[str | None, typer.Option("--until", help="End; default: now.")] = None,
    resource: Annotated[
        list[str] | None,
        typer.Option("--resource", "-r", help="Only this resource (id or name); may be repeated."),
    ] = None,
    entity_type: Annotated[
        list[str] | None,
        typer.Option(
            "--type", "-t", help="Only this entity type (pull_request, ...); may be repeated."
        ),
    ] = None,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Only show what it would cost.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Read the history of a workspace's linked resources.

    Intervals that are already covered are not requested again, and an interrupted backfill resumes where
    it stopped. `lightfast process` or a running Dagster captures the records.
    """
    if context.invoked_subcommand is not None:
        return
    if workspace is None or since is None:
        raise typer.BadParameter("--workspace and --since are required")
    now = datetime.now(UTC)
    with command_database() as database:
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
    from lightfast_pipelines.cli.opening import operator_name
    from lightfast_pipelines.store.sources import find_sources

    since, until = span
    if since >= until:
        raise typer.BadParameter(
            f"--since ({since:%Y-%m-%d %H:%M}Z) is not before --until ({until:%Y-%m-%d %H:%M}Z)"
        )
    with database.connect() as conn:
        workspace_id = workspace_named(conn, workspace).id
        sources = find_sources(
            conn, workspace_id=workspace_id, provider=provider, resources=only[0]
        )
    if not sources:
        raise Failure(
            f"no such resource is linked to {workspace}: see `lightfast integration list`"
        )
    return BackfillRequest(
        sources=sources,
        since=since,
        until=min(until, datetime.now(UTC)),
        entity_types=only[1],
        provider=provider,
        requested_by=operator_name(),
    )


def _print_estimate(database: Database, request: BackfillRequest, as_json: bool) -> None:
    from lightfast_pipelines.backfill.run import estimate_backfill
    from lightfast_pipelines.provider_api.access import StoredAccess
    from lightfast_pipelines.settings import settings

    apis = StoredAccess(database, settings(), request.requested_by)
    expected, units, refused = estimate_backfill(database, apis, request)
    if as_json:
        print_json(
            {
                **expected.shown(),
                "units": [unit.shown() for unit in units],
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
            for row in (unit.shown() for unit in units)
        ]
        print_table(("UNIT", "REQUESTS", "ITEMS", "", "NOTE"), rows)
        show(_expected_words(expected))
    if refused:
        raise Failure("; ".join(sorted(set(refused.values()))))


def _expected_words(expected: TotalEstimate) -> str:
    seconds = expected.seconds
    duration = f"{seconds / 60:,.0f} min" if seconds >= 120 else f"{seconds:.0f} s"
    return (
        f"expected: {expected.requests:,} requests ({expected.probes:,} of them for this estimate), "
        f"{expected.items:,} items, about {duration}"
    )


def _run(database: Database, request: BackfillRequest, as_json: bool) -> None:
    from lightfast_pipelines.backfill.request import BackfillListener
    from lightfast_pipelines.backfill.run import run_backfill
    from lightfast_pipelines.provider_api.access import StoredAccess
    from lightfast_pipelines.settings import settings

    with meter("estimate", unit="requests") as bar:
        progress = _Progress(bar)
        result = run_backfill(
            database,
            StoredAccess(database, settings(), request.requested_by),
            request,
            first_day=settings().earliest_day,
            listener=BackfillListener(progress.estimate, progress.page),
        )
    if not result.failures and result.status != "cancelled":
        _record(database, request)
    _print_result(result, as_json)
    if result.status == "cancelled":
        raise Failure("cancelled; what was read is kept")
    if result.failures:
        raise Failure("; ".join(result.failures))


def _record(database: Database, request: BackfillRequest) -> None:
    """Makes Dagster's catalog show the days that were read, as after a run of the asset."""
    from datetime import timedelta

    from lightfast_pipelines.store.partition_start import read_start
    from lightfast_pipelines.store.unreported import record_days

    with database.connect(application_name="lightfast backfill") as conn:
        first = max(request.since.date(), read_start(conn))
        last = (request.until - timedelta(microseconds=1)).date()
        days = (first + timedelta(days=n) for n in range((last - first).days + 1))
        record_days(conn, "provider_history", days)


class _Progress:
    """Shows how many of the expected requests have been made."""

    def __init__(self, bar: Meter) -> None:
        self._bar, self._done = bar, 0

    def estimate(self, expected: TotalEstimate, units: Sequence[UnitEstimate]) -> None:  # noqa: ARG002
        say(_expected_words(expected))
        self._bar.stage("history", expected.requests)
        self._bar.advance(expected.probes)
        self._done = expected.probes

    def page(self, progress: BackfillProgress) -> None:
        self._bar.advance(progress.requests - self._done)
        self._done = progress.requests


def _print_result(result: BackfillResult, as_json: bool) -> None:
    units = [unit.shown() for unit in result.units]
    if as_json:
        print_json(
            {
                "status": result.status,
                **result.actual(),
                "expected": result.expected.shown(),
                "units": [
                    {**row, "troubles": [asdict(trouble) for trouble in unit.troubles]}
                    for row, unit in zip(units, result.units, strict=True)
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
    workspace: OnlyWorkspace = None,
    as_json: AsJson = False,
) -> None:
    """Show recent backfills, and what is covered."""
    from lightfast_pipelines.store.backfills import end_dead, list_backfills
    from lightfast_pipelines.store.coverage import list_coverage

    with command_connection() as conn:
        end_dead(conn, datetime.now(UTC))
        workspace_id = workspace_named(conn, workspace).id if workspace else None
        runs = list_backfills(conn, workspace_id=workspace_id)
        coverage = list_coverage(conn, workspace_id)
    if as_json:
        print_json(
            {"backfills": [asdict(run) for run in runs], "coverage": [asdict(c) for c in coverage]}
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
                *(c.workspace, f"{c.provider} {c.resource_name or c.resource_id}"),
                *(c.entity_type, c.status),
                ", ".join(f"{i.since:%Y-%m-%d}..{i.until:%Y-%m-%d %H:%M}" for i in c.covered),
                *(c.records, c.expected, c.stored, c.error),
            )
            for c in coverage
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
        int | None, typer.Argument(help="Its id in `lightfast backfill status`; default: all.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Stop running backfills and keep what they have read."""
    from lightfast_pipelines.cli.opening import operator_name
    from lightfast_pipelines.store.backfills import ask_to_cancel, end_dead, list_backfills

    with command_connection() as conn:
        end_dead(conn, datetime.now(UTC))
        ids = (
            [number]
            if number is not None
            else [run.id for run in list_backfills(conn, limit=1_000) if run.status == "running"]
        )
        cancelled = [i for i in ids if ask_to_cancel(conn, i, operator_name()) is not None]
        conn.commit()
    if as_json:
        print_json({"cancelled": cancelled})
    elif cancelled:
        show(f"asked to stop: {', '.join(map(str, cancelled))}")
    if not cancelled:
        raise Failure(
            "no such backfill is running" if number is not None else "no backfill is running"
        )
