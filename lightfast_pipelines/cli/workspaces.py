"""`lightfast workspace`: the tenants of an organisation."""

from __future__ import annotations

import re
import sys
from contextlib import ExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from lightfast_pipelines.cli.console import print_json, print_result, print_table, say, show
from lightfast_pipelines.cli.opening import (
    command_connection,
    command_database,
    operator_name,
    workspace_named,
)
from lightfast_pipelines.cli.options import AsJson, Yes
from lightfast_pipelines.cli.root import Failure

if TYPE_CHECKING:
    from lightfast_pipelines.store.logins import Role

workspace_app = typer.Typer(
    help="Workspaces: the tenants of an organisation.", no_args_is_help=True
)

WorkspaceName = Annotated[str, typer.Argument(help="The workspace (slug, or org/slug).")]

_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def _slug(value: str) -> str:
    if not _SLUG.fullmatch(value):
        raise typer.BadParameter(
            "a slug is up to 63 lower-case letters, digits and hyphens, hyphens not first"
        )
    return value


def _name(value: str) -> str:
    if not value.strip() or not value.isprintable():
        raise typer.BadParameter("a name needs visible characters")
    return value.strip()


@workspace_app.command("add")
def add(
    slug: Annotated[str, typer.Argument(callback=_slug, help="Short name: a-z, 0-9 and hyphens.")],
    org: Annotated[
        str, typer.Option("--org", callback=_name, help="Organisation it belongs to.")
    ] = "default",
    name: Annotated[
        str | None, typer.Option("--name", help="Display name; default: the slug.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add a workspace. Adding an existing one changes nothing."""
    from lightfast_pipelines.store.linked_resources import make_workspace

    with command_connection(create=True) as conn:
        workspace, is_new = make_workspace(conn, slug, org, name)
        conn.commit()
    if as_json:
        print_json({**asdict(workspace), "created": is_new})
        return
    show(
        f"workspace {workspace.slug} of organisation {workspace.org_id}"
        f"{'' if is_new else ' was there already'}"
    )
    if not is_new and name and name != workspace.name:
        say(
            f"it is still called {workspace.name!r}: "
            f"`lightfast workspace rename {workspace.slug} {name!r}`"
        )


@workspace_app.command("rename")
def rename(
    workspace: WorkspaceName,
    name: Annotated[str, typer.Argument(callback=_name, help="The new display name.")],
    as_json: AsJson = False,
) -> None:
    """Give a workspace another display name.

    The slug stays the same, because the ids of observations contain it and links to them would break.
    """
    from lightfast_pipelines.store.linked_resources import rename_workspace

    with command_connection() as conn:
        renamed = rename_workspace(conn, workspace_named(conn, workspace), name)
        conn.commit()
    text = f"workspace {renamed.slug} is called {renamed.name!r}; its slug stays {renamed.slug}"
    print_result(as_json, asdict(renamed), text)


@workspace_app.command("remove")
def remove(
    workspace: WorkspaceName,
    deliveries: Annotated[
        bool,
        typer.Option(
            "--deliveries", help="Also remove deliveries that reached no other workspace."
        ),
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Remove a workspace: its links and everything derived for it.

    Deliveries stay and wait until their resource is linked again, unless --deliveries is given. Removing
    the last workspace of an organisation also removes its people, installations and credentials.
    """
    from lightfast_pipelines.inbox.requeue import hold_stages
    from lightfast_pipelines.inbox.workspace_removal import remove_workspace

    role: Role = "migrator" if deliveries else "pipeline"
    with command_database() as database, ExitStack() as held:
        conn = held.enter_context(database.connect(role, application_name="lightfast-command"))
        doomed = workspace_named(conn, workspace)
        conn.rollback()
        if not yes:
            _confirm(doomed.full_name, deliveries)
        held.enter_context(hold_stages(conn, say))
        done = remove_workspace(conn, doomed, deliveries=deliveries, actor=operator_name())
        conn.commit()
    if as_json:
        print_json(asdict(done))
        return
    show(
        f"workspace {doomed.slug} of organisation {doomed.org_id} is removed: {done.links:,} links, "
        f"{done.observations:,} observations, {done.deliveries:,} deliveries"
    )
    if done.organisation:
        say(
            f"it was the last of {doomed.org_id}: people, installations and credentials were removed too"
        )
    if done.kept:
        say(f"{done.kept:,} deliveries stay and wait to be linked (`lightfast waiting`)")


def _confirm(name: str, deliveries: bool) -> None:
    if not sys.stdin.isatty():
        raise typer.BadParameter(f"without a terminal to confirm at, removing {name} needs --yes")
    rows = "its links and derived rows" + (" and its deliveries" if deliveries else "")
    given = typer.prompt(f"This removes {rows}. Type {name} to continue", err=True)
    if given.strip() != name:
        raise Failure(f"{given.strip()!r} is not {name!r}: nothing was removed")


@workspace_app.command("list")
def list_all(as_json: AsJson = False) -> None:
    """List the workspaces."""
    with command_connection() as conn:
        rows = conn.execute(
            """
            SELECT w.slug, w.org_id, w.name, count(i.id) FILTER (WHERE i.is_active), w.created_at
            FROM lightfast.workspaces w
            LEFT JOIN lightfast.integrations i ON i.workspace_id = w.id
            GROUP BY w.id
            ORDER BY w.org_id, w.slug
            """
        ).fetchall()
    if as_json:
        fields = ("slug", "org_id", "name", "integrations", "created_at")
        print_json([dict(zip(fields, row, strict=True)) for row in rows])
    else:
        print_table(("SLUG", "ORG", "NAME", "INTEGRATIONS", "CREATED"), rows)
