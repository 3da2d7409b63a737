"""`lightfast timeline`: what happened, newest first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from lightfast_pipelines.cli.console import on_one_line, print_json, print_table, say, show
from lightfast_pipelines.cli.lines import fitted, terminal_width
from lightfast_pipelines.cli.opening import command_connection
from lightfast_pipelines.cli.options import AsJson
from lightfast_pipelines.cli.persons import persons_meant
from lightfast_pipelines.cli.root import Failure
from lightfast_pipelines.cli.things import MaybeWorkspace, the_thing, the_workspace
from lightfast_pipelines.cli.times import time_option
from lightfast_pipelines.cli.wording import told

if TYPE_CHECKING:
    from lightfast_pipelines.store.database import Connection
    from lightfast_pipelines.store.linked_resources import Workspace
    from lightfast_pipelines.store.timeline import Cursor, Event, Wanted

MARKED = 70
"""Events of at least this significance are marked."""
_LISTED_TYPES = 12


def timeline(  # noqa: PLR0913, PLR0917 - options, each passed by name
    workspace: MaybeWorkspace = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            help="From this moment: 2026-11-23, 7d, yesterday, monday, ...; default: the last 7 days "
            "before the latest event.",
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", help="Before this moment; default: no end.")
    ] = None,
    by: Annotated[
        str | None,
        typer.Option("--by", help="Only what this person did or wrote: a login or a name."),
    ] = None,
    of: Annotated[
        str | None,
        typer.Option(
            "--of", help="Only what is about this thing or names it, as for `lightfast show`."
        ),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            "--type", help="Only these types: 'pull-request.*', '*.merged', release.published."
        ),
    ] = None,
    limit: Annotated[
        int,
        typer.Option("--limit", "-n", min=1, max=10_000, help="How many to show, newest first."),
    ] = 50,
    before: Annotated[
        str | None,
        typer.Option(
            "--before", help="Go on behind a list that was cut, by the cursor at its end."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what happened, newest first: when, who, what.

    Days and times are those of this machine's time zone. A * marks what is most significant. Exits with
    status 1 if --by, --of or --type fit nothing known.
    """
    from lightfast_pipelines.store.timeline import read_timeline

    now = datetime.now(UTC)
    start = time_option(since, "--since", now=now) if since else None
    end = time_option(until, "--until", now=now) if until else None
    cursor = _cursor(before) if before else None
    with command_connection() as conn:
        place, wanted = _wanted(conn, workspace, by=by, of=of, kind=kind)
        wanted = replace(
            wanted, until=end, before=cursor, since=start or _recent(conn, wanted, end)
        )
        events = read_timeline(conn, wanted, limit + 1)
        nothing = "" if events else _nothing(conn, place, wanted)
        conn.rollback()
    rest = events[limit - 1].cursor if len(events) > limit else None
    events = events[:limit]
    if as_json:
        _print_as_json(place, wanted, events, rest)
        return
    if not events:
        say(nothing)
        return
    _print_events(events)
    if rest is not None:
        say(f"\n{limit:,} shown; earlier ones: add --before {rest}")
    elif since is None:
        say("\nthe 7 days before the latest event; --since shows more")


def _cursor(text: str) -> Cursor:
    from lightfast_pipelines.store.timeline import read_cursor

    try:
        return read_cursor(text)
    except ValueError as error:
        raise typer.BadParameter(
            f"{text!r} is not a cursor: copy it from the end of a list that was cut",
            param_hint="--before",
        ) from error


def _wanted(
    conn: Connection, workspace: str | None, *, by: str | None, of: str | None, kind: str | None
) -> tuple[Workspace, Wanted]:
    """The workspace, and what is asked of it, whenever it happened."""
    from lightfast_pipelines.store.timeline import Wanted, entity_id, identities_of

    entity = None
    if of is not None:
        thing = the_thing(conn, of, workspace)
        place, entity = thing.workspace, entity_id(conn, thing.workspace.id, thing.key)
    else:
        place = the_workspace(conn, workspace)
    return place, Wanted(
        workspace=place.id,
        types=None if kind is None else _types(conn, place, kind),
        identities=None if by is None else identities_of(conn, _actors(conn, place, by)),
        entity=entity,
    )


def _actors(conn: Connection, place: Workspace, by: str) -> list[str]:
    found = persons_meant(conn, by, [place.org_id])
    if not found:
        raise Failure(
            f"nobody in organisation {place.org_id} is called {by!r}: write a login, a name "
            "or a part of one, an address, or a key (github:123)"
        )
    if len(found) > 1:
        keys = ", ".join(on_one_line(each.identity) for each in found)
        say(f"{on_one_line(found[0].name)}: {len(found)} people have this name ({keys})")
    return [each.actor_id for each in found]


def _types(conn: Connection, place: Workspace, pattern: str) -> list[str]:
    from lightfast_pipelines.store.timeline import types_like

    fitting, known = types_like(conn, place.id, pattern)
    if not fitting:
        thing = pattern.lower().partition(".")[0]
        names = [name for name in known if name.partition(".")[0] == thing] or sorted(
            {f"'{name.partition('.')[0]}.*'" for name in known}
        )
        more = f", and {len(names) - _LISTED_TYPES} more" if len(names) > _LISTED_TYPES else ""
        raise Failure(
            f"no type of event in {place.slug} fits {pattern!r}; there are: "
            f"{', '.join(names[:_LISTED_TYPES]) or 'none'}{more}"
        )
    return fitting


def _recent(conn: Connection, wanted: Wanted, end: datetime | None) -> datetime | None:
    """Some days before the latest of these events, so that a quiet workspace shows something too."""
    from lightfast_pipelines.store.timeline import RECENT, latest_at

    latest = latest_at(conn, replace(wanted, until=end))
    return None if latest is None else latest - RECENT


def _nothing(conn: Connection, place: Workspace, wanted: Wanted) -> str:
    from lightfast_pipelines.store.timeline import latest_at

    latest = latest_at(conn, replace(wanted, since=None, until=None, before=None))
    if latest is None:
        return f"nothing of that kind happened in {place.slug}"
    return (
        f"nothing happened in {place.slug} then; the latest event that fits is of "
        f"{latest.astimezone(UTC):%Y-%m-%d %H:%M}Z"
    )


def _print_as_json(
    place: Workspace, wanted: Wanted, events: Sequence[Event], rest: Cursor | None
) -> None:
    print_json(
        {
            "workspace": place.slug,
            "since": wanted.since,
            "until": wanted.until,
            "events": [asdict(event) for event in events],
            "before": None if rest is None else str(rest),
        }
    )


def _print_events(events: Sequence[Event]) -> None:
    import sys

    if sys.stdout.isatty():
        for line in lines_by_day(events, terminal_width(), datetime.astimezone):
            show(line)
        return
    columns = ("TIME", "WHO", "TYPE", "TITLE", "KEY", "SIGNIFICANCE", "OBSERVATION")
    print_table(
        columns,
        [
            (
                event.occurred_at,
                event.actor or event.author,
                event.type,
                event.title,
                event.key,
                event.significance,
                event.observation,
            )
            for event in events
        ],
    )


def lines_by_day(
    events: Sequence[Event], width: int, local: Callable[[datetime], datetime]
) -> Iterator[str]:
    """A heading for each day of the `local` time zone, and below it a line for each event."""
    lines = fitted([_row(event, local(event.occurred_at)) for event in events], width)
    day = None
    for event, line in zip(events, lines, strict=True):
        moment = local(event.occurred_at)
        if moment.date() != day:
            if day is not None:
                yield ""
            day = moment.date()
            yield f"{moment:%A} {moment.day} {moment:%B %Y} ({moment:%Z})"
        yield line


def _row(event: Event, moment: datetime) -> tuple[str, ...]:
    what, text = told(event.title, event.type, event.key, event.name)
    who = on_one_line(event.actor or event.author or "-")
    mark = "*" if event.significance >= MARKED else " "
    return f"{moment:%H:%M}{mark}", who, what, text
