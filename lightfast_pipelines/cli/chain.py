"""`lightfast chain`: traces what broke to the change that caused it and to its fix."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from lightfast_pipelines.cli.console import on_one_line, print_json, print_table, say, show
from lightfast_pipelines.cli.lines import print_lines, terminal_width
from lightfast_pipelines.cli.opening import command_connection
from lightfast_pipelines.cli.options import AsJson
from lightfast_pipelines.cli.things import MaybeWorkspace, NamedKey, the_thing

if TYPE_CHECKING:
    from lightfast_pipelines.store.chain import ChainLink
    from lightfast_pipelines.store.database import Connection

_LONGEST_NAME = 60
_SHORT_SHA = 12


def chain(key: NamedKey, workspace: MaybeWorkspace = None, as_json: AsJson = False) -> None:
    """Trace what broke to its cause and to its fix.

    Works from an alert, an issue, a deployment, a release, a pull request or a commit. Exits with status
    1 if nothing is known about KEY, or if it may mean several things, which are then listed.
    """
    with command_connection() as conn:
        thing = the_thing(conn, key, workspace)
        causes, ends = read_chain(conn, thing.workspace.id, thing.key)
        conn.rollback()
    if as_json:
        print_json(
            {"cause": [asdict(link) for link in causes], "end": [asdict(link) for link in ends]}
        )
        return
    for title, links in (("What caused it", causes), ("What put an end to it", ends)):
        if len(links) > 1:
            show(title)
            _print_rows(chain_rows(links))
    if len(causes) == 1 and len(ends) == 1:
        say(f"no relationship leads from {on_one_line(thing.key)} to a cause or an end")


def _print_rows(rows: Sequence[tuple[str, str, str, str]]) -> None:
    """A table; where the terminal is too narrow for it, who and status get a line of their own."""
    wide = sum(max(len(row[place]) for row in rows) + 2 for place in range(4))
    if not sys.stdout.isatty() or wide <= terminal_width():
        print_table(("STEP", "WHAT", "NAME", "WHO AND STATUS"), rows)
        return
    lines: list[tuple[str, str, str]] = []
    for step, what, name, who in rows:
        lines += [(step, what, name), ("", "", who)] if who else [(step, what, name)]
    print_lines(("STEP", "WHAT", "NAME"), lines)


def read_chain(
    conn: Connection, workspace: int, start: str
) -> tuple[list[ChainLink], list[ChainLink]]:
    """(the links to the cause, the links to the fix), each beginning with what broke."""
    from lightfast_pipelines.store import chain as chains

    causes = chains.walk(conn, workspace, start, chains.TO_THE_CAUSE)
    # An alert only reports an issue, and it is the issue that comes to an end.
    is_alert = causes[0].category == "alert"
    broken = next((link.key for link in causes if is_alert and link.depth == 1), start)
    return causes, chains.walk(conn, workspace, broken, chains.TO_THE_END)


def chain_rows(links: Sequence[ChainLink]) -> list[tuple[str, str, str, str]]:
    """A row for each link: the edge that led to it, indented by depth, and what is known about it."""
    rows = []
    for link in links:
        step = f"{'->' if link.forward else '<-'} {link.type}" if link.type else ""
        author = f"by {link.author}" if link.author else None
        status = f"{link.status} by {link.changed_by}" if link.changed_by else link.status
        rows.append(
            (
                f"{'  ' * max(link.depth - 1, 0)}{step}",
                link.category.replace("_", " "),
                _name(link),
                ", ".join(part for part in (author, status) if part),
            )
        )
    return rows


def _name(link: ChainLink) -> str:
    """The name of a link; a release named by a commit's id is shortened, as Git does."""
    name = link.name or link.key
    is_sha = link.category == "release" and len(name) == 40
    return name[:_SHORT_SHA] if is_sha else name[:_LONGEST_NAME]
