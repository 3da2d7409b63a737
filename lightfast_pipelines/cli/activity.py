"""`lightfast activity`: what was done to connections and backfills, and by whom."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from lightfast_pipelines.cli.console import print_json, print_table
from lightfast_pipelines.cli.opening import command_connection, workspace_named
from lightfast_pipelines.cli.options import AsJson, ListLimit, OnlyProvider


def activity(
    workspace: Annotated[
        str | None,
        typer.Option("--workspace", "-w", help="Only this workspace and its organisation."),
    ] = None,
    provider: OnlyProvider = None,
    action: Annotated[
        str | None,
        typer.Option("--action", help="credential.refused, or a whole family: credential."),
    ] = None,
    limit: ListLimit = 50,
    as_json: AsJson = False,
) -> None:
    """List changes to links, credentials, keys and backfills."""
    from lightfast_pipelines.store.activity import list_activity

    with command_connection() as conn:
        workspace_id = workspace_named(conn, workspace).id if workspace else None
        entries = list_activity(
            conn, workspace_id=workspace_id, provider=provider, action=action, limit=limit
        )
    if as_json:
        print_json([asdict(entry) for entry in entries])
        return
    rows = [
        (entry.at, entry.workspace, entry.action, entry.actor, entry.message) for entry in entries
    ]
    print_table(("AT", "WORKSPACE", "ACTION", "BY", "WHAT"), rows)
