"""`lightfast search`: answers a question about a workspace, with the reason for every hit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from lightfast_pipelines.cli.console import on_one_line, print_json, print_table, say, show
from lightfast_pipelines.cli.opening import command_connection, default_embedder
from lightfast_pipelines.cli.options import AsJson
from lightfast_pipelines.cli.root import Failure
from lightfast_pipelines.cli.things import MaybeWorkspace, the_workspace
from lightfast_pipelines.cli.times import time_option

if TYPE_CHECKING:
    from datetime import datetime, tzinfo

    from lightfast_pipelines.search.results import SearchFilters, SearchResults

_LONGEST_TITLE = 70


def search(  # noqa: PLR0913, PLR0917 - options of a command
    query: Annotated[
        str,
        typer.Argument(
            metavar="QUERY",
            help='What to look for, in your words: names, numbers, paths, @people, "phrases", times.',
        ),
    ],
    workspace: MaybeWorkspace = None,
    source: Annotated[
        list[str] | None, typer.Option("--source", help="Only this provider; may be repeated.")
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option("--type", help="Only pull-request.merged, or pull-request; may be repeated."),
    ] = None,
    by: Annotated[
        list[str] | None, typer.Option("--by", help="Only this person's; may be repeated.")
    ] = None,
    since: Annotated[str | None, typer.Option("--since", help="2026-05-01, 2d, ...")] = None,
    before: Annotated[str | None, typer.Option("--before", help="Likewise.")] = None,
    as_known: Annotated[
        str | None, typer.Option("--as-known", help="Only what had been received by then.")
    ] = None,
    least_significance: Annotated[
        int | None, typer.Option("--least-significance", min=0, max=100)
    ] = None,
    fast: Annotated[bool, typer.Option("--fast", help="Without the reranking model.")] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=100)] = 10,
    cursor: Annotated[
        str | None, typer.Option("--cursor", help="`next_cursor` of the page before.")
    ] = None,
    zone: Annotated[
        str, typer.Option("--zone", help="Time zone of times in QUERY: Europe/Berlin.")
    ] = "UTC",
    as_json: AsJson = False,
) -> None:
    """Find what happened, by a question in your own words.

    Says what it understood and why each hit is there. Exits with status 1 if nothing is found.
    """
    from datetime import UTC, datetime

    from lightfast_pipelines.search.cursor import CursorError
    from lightfast_pipelines.search.resolving import UnknownPersonError
    from lightfast_pipelines.search.search import QuestionError
    from lightfast_pipelines.search.search import search as ask

    now = datetime.now(UTC)
    filters = _filters(
        source, kind, by, since, before, as_known, now, least_significance=least_significance
    )
    try:
        with command_connection() as conn:
            results = ask(
                conn,
                the_workspace(conn, workspace),
                query,
                embedder=default_embedder(),
                now=now,
                filters=filters,
                mode="fast" if fast else "balanced",
                limit=limit,
                cursor=cursor,
                zone=_zone(zone),
            )
    except (QuestionError, CursorError, UnknownPersonError) as error:
        raise Failure(str(error)) from error
    if as_json:
        print_json(results.model_dump(mode="json"))
    else:
        _print(results)
    if results.nothing_found is not None:
        raise Failure(f"nothing found: {results.nothing_found}")


def _filters(
    source: list[str] | None,
    kind: list[str] | None,
    by: list[str] | None,
    since: str | None,
    before: str | None,
    as_known: str | None,
    now: datetime,
    *,
    least_significance: int | None,
) -> SearchFilters:
    from lightfast_pipelines.search.results import SearchFilters

    return SearchFilters(
        sources=tuple(source or ()),
        types=tuple(kind or ()),
        people=tuple(by or ()),
        since=time_option(since, "--since", now=now) if since else None,
        before=time_option(before, "--before", now=now) if before else None,
        as_known=time_option(as_known, "--as-known", now=now) if as_known else None,
        least_significance=least_significance,
    )


def _zone(name: str) -> tzinfo:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise typer.BadParameter(
            f"{name!r} is not a time zone; write one such as Europe/Berlin", param_hint="--zone"
        ) from error


def _print(results: SearchResults) -> None:
    for line in _understood(results.understood.model_dump()):
        say(line)
    for report in results.paths:
        if report.status in {"late", "failed"}:
            say(f"{report.path}: {report.status}, {report.detail}")
    if not results.hits:
        return
    rows = []
    for hit in results.hits:
        title = on_one_line(hit.title)
        shown = title if len(title) <= _LONGEST_TITLE else title[: _LONGEST_TITLE - 3] + "..."
        day = hit.occurred_at.strftime("%Y-%m-%d")
        rows.append(
            (
                str(hit.rank),
                day,
                shown,
                on_one_line(hit.actor or hit.author or "-"),
                on_one_line(hit.reason),
            )
        )
    print_table(("", "WHEN", "WHAT", "WHO", "WHY"), rows)
    many = "at least " if results.is_cut else ""
    show(f"{len(results.hits)} of {many}{results.total} results in {results.milliseconds:.0f} ms")
    for cluster in results.clusters:
        show(f"work: {on_one_line(cluster.topic)} ({cluster.observations} observations)")
    if results.next_cursor:
        say("more: add --cursor with `next_cursor` of --json, or a larger --limit")


def _understood(said: dict[str, Any]) -> list[str]:
    """A line for each kind of name or time that the question holds."""
    lines = []
    for name in ("things", "people", "phrases", "times", "unknown"):
        if said[name]:
            lines.append(f"{name}: {', '.join(on_one_line(str(value)) for value in said[name])}")
    for name in ("since", "before"):
        if said[name]:
            lines.append(f"{name}: {said[name].isoformat()}")
    return lines
