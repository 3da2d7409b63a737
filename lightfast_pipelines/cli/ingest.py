"""`lightfast ingest`: stores deliveries from files of JSON lines."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lightfast_pipelines.cli.console import meter, print_json, say, show
from lightfast_pipelines.cli.opening import command_connection, workspace_named
from lightfast_pipelines.cli.options import AsJson, OfProvider

if TYPE_CHECKING:
    from lightfast_pipelines.inbox.jsonlines import Line, UnreadableLine

# The first problems are worth reading; a file of another format has as many as lines.
SHOWN_PROBLEMS = 20


def _readable(files: list[Path]) -> list[Path]:
    """Checks every file before the first is read, so that nothing is stored if a name is wrong."""
    for path in files:
        if str(path) == "-":
            continue
        if not path.exists():
            raise typer.BadParameter(f"{path} does not exist")
        if path.is_dir():
            raise typer.BadParameter(f"{path} is a folder")
        if not os.access(path, os.R_OK):
            raise typer.BadParameter(f"{path} is not readable")
    return files


def ingest(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", callback=_readable, help="- is stdin.")
    ],
    workspace: Annotated[
        str, typer.Option("--workspace", "-w", help="Workspace (slug) to link resources to.")
    ],
    provider: OfProvider,
    as_json: AsJson = False,
) -> None:
    """Store deliveries from files of JSON lines.

    A line is {event, delivery_id, payload, received_at?, headers?}; other keys are ignored.
    Files may be gzipped; - reads stdin. The resources that deliveries name are linked to the
    workspace. A bad line is reported with its number and the others are stored (exit 1 at the end).
    """
    from datetime import UTC, datetime

    from lightfast_pipelines.inbox.files import ingest as ingest_lines
    from lightfast_pipelines.providers import discover
    from lightfast_pipelines.settings import settings

    shown: list[dict[str, object]] = []

    def on_problem(line: Line | UnreadableLine, reason: str) -> None:
        if len(shown) < SHOWN_PROBLEMS:
            shown.append({"file": line.file, "line": line.number, "reason": reason})
            say(f"{line.file}:{line.number}: {reason}")
        elif len(shown) == SHOWN_PROBLEMS:
            shown.append({"file": line.file, "line": line.number, "reason": "more problems follow"})
            say("(further problems are counted, not shown)")

    with command_connection() as conn, meter("ingest", unit="lines") as bar:
        report = ingest_lines(
            conn,
            workspace_named(conn, workspace),
            discover()[provider],
            _lines_of(files),
            start=settings().earliest_day,
            now=datetime.now(UTC),
            on_problem=on_problem,
            progress=bar.advance,
        )
    if as_json:
        print_json(
            {
                "lines": report.lines,
                "stored": report.stored,
                "repeated": report.repeated,
                "problems": report.problems,
                "clamped": report.clamped,
                "linked": sorted(report.linked),
                "refused": report.refused,
                "shown_problems": shown,
            }
        )
    else:
        show(
            f"{report.lines:,} lines: {report.stored:,} stored, {report.repeated:,} stored before, "
            f"{report.problems:,} bad; {len(report.linked)} linked, {len(report.refused)} refused"
        )
        if report.clamped:
            say(
                f"{report.clamped:,} lines have a received_at in the future: they count as received now"
            )
    if report.problems or report.refused:
        raise typer.Exit(1)


def _lines_of(files: list[Path]) -> Iterator[Line | UnreadableLine]:
    from lightfast_pipelines.inbox.jsonlines import read_lines
    from lightfast_pipelines.settings import settings

    # A line holds a payload and its envelope, at worst escaped as \uXXXX.
    max_bytes = 2 * settings().max_body_bytes
    for path in files:
        if str(path) == "-":
            yield from read_lines(sys.stdin.buffer, "stdin", max_bytes=max_bytes)
            continue
        with path.open("rb") as stream:
            yield from read_lines(stream, str(path), max_bytes=max_bytes)
