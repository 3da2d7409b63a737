"""`lightfast activity`: what was done to connections and histories, and by whom."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from lightfast_pipelines.cli.console import AsJson, print_json, print_table
from lightfast_pipelines.cli.opening import a_connection, known_provider, the_workspace


def activity(
    workspace: Annotated[
        str | None,
        typer.Option("--workspace", "-w", help="Of this workspace and its organisation only."),
    ] = None,
    provider: Annotated[
        str | None, typer.Option("--provider", "-p", help="Of this provider only.")
    ] = None,
    action: Annotated[
        str | None,
        typer.Option("--action", help="credential.refused, or all of a family: credential."),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, help="How many, newest first.")
    ] = 50,
    as_json: AsJson = False,
) -> None:
    """Links, credentials, keys and readings of history: what was done, newest first."""
    from lightfast_pipelines.store.activity import list_activity

    if provider is not None:
        known_provider(provider)
    with a_connection() as conn:
        place = the_workspace(conn, workspace).id if workspace else None
        found = list_activity(
            conn, workspace_id=place, provider=provider, action=action, limit=limit
        )
    if as_json:
        print_json([asdict(one) for one in found])
        return
    rows = [(one.at, one.workspace, one.action, one.actor, one.message) for one in found]
    print_table(("AT", "WORKSPACE", "ACTION", "BY", "WHAT"), rows)
