"""`lightfast export`: the analysts' views as Parquet files."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lightfast_pipelines.cli.console import meter, print_json, print_table, show
from lightfast_pipelines.cli.opening import command_database
from lightfast_pipelines.cli.options import AsJson
from lightfast_pipelines.cli.times import time_option

if TYPE_CHECKING:
    from lightfast_pipelines.export.run import ExportReport


def export(
    to: Annotated[
        Path,
        typer.Option("--to", help="Folder to write to: a new or empty one, or that of an export."),
    ],
    workspace: Annotated[
        list[str] | None,
        typer.Option(
            "--workspace", "-w", help="Only this workspace (slug, or org/slug); may be repeated."
        ),
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", help="Only this day and later ones: 2026-05-01, 7d.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", help="Only days up to this one, which is included.")
    ] = None,
    tables: Annotated[
        list[str] | None,
        typer.Option("--tables", help="Only these views, separated by commas; may be repeated."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the views as Parquet files, one for each day, and only where their rows changed.

    `duckdb -init DIR/views.sql` then asks them by the same names. All rows are compared with what was
    exported before; with --since only those of later days are.
    """
    from lightfast_pipelines.export.reading import Bounds
    from lightfast_pipelines.export.run import Selection
    from lightfast_pipelines.export.run import export as export_views

    now = datetime.now(UTC)
    first, last = _day(since, "--since", now), _day(until, "--until", now)
    if first and last and first > last:
        raise typer.BadParameter(f"--since ({first}) is after --until ({last})")
    views = [name.strip() for part in tables or () for name in part.split(",") if name.strip()]
    selection = Selection(tuple(workspace or ()), tuple(views), Bounds(first, last))
    with command_database() as database, meter("files", unit="steps") as bar:
        report = export_views(
            database, to, selection, now=now, progress=lambda _step: bar.advance(1)
        )
    _print(report, to, as_json)


def _day(text: str | None, option: str, now: datetime) -> date | None:
    return time_option(text, option, now=now).date() if text else None


def _print(report: ExportReport, to: Path, as_json: bool) -> None:
    rows = _of_views(report)
    if as_json:
        print_json(
            {
                "to": str(to.absolute()),
                "views": rows,
                "removed": report.removed,
                "deleted_workspaces": report.deleted_workspaces,
            }
        )
        return
    print_table(
        ("VIEW", "ROWS", "FILES", "WRITTEN", "BYTES"),
        [(r["view"], r["rows"], r["files"], r["written"], r["bytes"]) for r in rows],
    )
    show(
        f"{len(report.written):,} of {len(report.files):,} files written and {report.removed:,} removed "
        f"in {to.absolute()}"
    )
    for name in report.deleted_workspaces:
        show(f"deleted the files of {name}, a workspace that is no longer there")


def _of_views(report: ExportReport) -> list[dict[str, Any]]:
    counts: dict[str, Counter[str]] = {}
    for file in report.files:
        counted = counts.setdefault(file.view, Counter())
        counted.update(rows=file.rows, bytes=file.bytes, files=1, written=int(file.was_written))
    return [{"view": view, **counted} for view, counted in sorted(counts.items())]
