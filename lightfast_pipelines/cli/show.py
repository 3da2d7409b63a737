"""`lightfast show`: a thing or a person, with what the memory holds about it, within limits."""

from __future__ import annotations

from typing import Annotated

import typer

from lightfast_pipelines.cli.console import print_json
from lightfast_pipelines.cli.opening import command_connection
from lightfast_pipelines.cli.options import AsJson
from lightfast_pipelines.cli.shown_person import find_persons, person_as_json, print_persons
from lightfast_pipelines.cli.shown_thing import MOST, print_thing, thing_as_json
from lightfast_pipelines.cli.things import (
    MaybeWorkspace,
    NamedKey,
    ambiguous,
    things_meant,
    unknown,
    workspaces_meant,
)

_SHOWN = 10
_SHOWN_AS_JSON = 200


def show_thing(
    key: NamedKey,
    workspace: MaybeWorkspace = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            "-n",
            min=1,
            max=MOST,
            help="How many states, observations and edges of each type, the newest of each; default: "
            f"{_SHOWN}, with --json {_SHOWN_AS_JSON}.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show a thing: its states, edges, latest observations and cluster. Of a person: the profile.

    Exits with status 1 if nothing is known about KEY, or if it may mean several things, which are then
    listed.
    """
    from lightfast_pipelines.store.thing_details import read_details

    most = limit or (_SHOWN_AS_JSON if as_json else _SHOWN)
    with command_connection() as conn:
        workspaces = workspaces_meant(conn, workspace)
        things = [] if key.startswith("@") else things_meant(conn, key, workspaces)
        if len(things) > 1:
            raise ambiguous(key, things)
        persons = find_persons(conn, key, things, workspaces, most)
        if not things and not persons:
            raise unknown(conn, key, workspaces)
        details = None
        if not persons:
            details = read_details(conn, things[0].workspace.id, things[0].key, most)
        conn.rollback()
    if details is not None:
        if as_json:
            print_json(thing_as_json(details, most))
        else:
            print_thing(details, most)
    elif as_json:
        print_json({"people": [person_as_json(person) for person in persons]})
    else:
        print_persons(persons)
