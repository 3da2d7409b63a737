"""`lightfast workspace`: the tenants of an organisation."""

from __future__ import annotations

import re
import sys
from contextlib import ExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from lightfast_pipelines.cli.console import AsJson, print_json, print_table, say, show
from lightfast_pipelines.cli.opening import (
    a_connection,
    the_database,
    the_operator,
    the_workspace,
)
from lightfast_pipelines.cli.root import Failure

if TYPE_CHECKING:
    from lightfast_pipelines.store.logins import Role

workspace_app = typer.Typer(
    help="Workspaces: the tenants of an organisation.", no_args_is_help=True
)

_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def _slug(value: str) -> str:
    if not _SLUG.fullmatch(value):
        raise typer.BadParameter(
            "a slug is up to 63 lower-case letters, digits and hyphens, hyphens not first"
        )
    return value


def _name(value: str) -> str:
    if not value.strip() or not value.isprintable():
        raise typer.BadParameter("a name is something that can be read")
    return value.strip()


@workspace_app.command("add")
def add(
    slug: Annotated[
        str, typer.Argument(callback=_slug, help="Short name, of a-z, 0-9 and hyphens.")
    ],
    org: Annotated[
        str, typer.Option("--org", callback=_name, help="Organisation it belongs to.")
    ] = "default",
    name: Annotated[
        str | None, typer.Option("--name", help="Display name; default: the slug.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add a workspace. Adding one that is there already changes nothing."""
    from lightfast_pipelines.store.links import make_workspace

    with a_connection(create=True) as conn:
        found, is_new = make_workspace(conn, slug, org, name)
        conn.commit()
    if as_json:
        print_json({**asdict(found), "created": is_new})
        return
    show(
        f"workspace {found.slug} of organisation {found.org_id}"
        f"{'' if is_new else ' was there already'}"
    )
    if not is_new and name and name != found.name:
        say(
            f"it is still called {found.name!r}: `lightfast workspace rename {found.slug} {name!r}`"
        )


@workspace_app.command("rename")
def rename(
    workspace: Annotated[str, typer.Argument(help="Which one (slug, or org/slug).")],
    name: Annotated[str, typer.Argument(callback=_name, help="What it is to be called.")],
    as_json: AsJson = False,
) -> None:
    """Give a workspace another display name.

    Its slug stays: the ids of its observations are made of it, and links to them would break.
    """
    from lightfast_pipelines.store.links import rename_workspace

    with a_connection() as conn:
        found = rename_workspace(conn, the_workspace(conn, workspace), name)
        conn.commit()
    if as_json:
        print_json(asdict(found))
    else:
        show(f"workspace {found.slug} is called {found.name!r}; its slug stays {found.slug}")


@workspace_app.command("remove")
def remove(
    workspace: Annotated[str, typer.Argument(help="Which one (slug, or org/slug).")],
    deliveries: Annotated[
        bool,
        typer.Option(
            "--deliveries", help="Remove the deliveries too that reached no other workspace."
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove a workspace: its links and everything derived for it.

    Deliveries stay, and wait until their resource is linked again, unless --deliveries says otherwise.
    With the last workspace of an organisation its people, connections and credentials go too.
    """
    from lightfast_pipelines.inbox.workspace_removal import JOBS, remove_workspace
    from lightfast_pipelines.store.locks import job_lock

    role: Role = "migrator" if deliveries else "pipeline"
    with the_database() as database, ExitStack() as held:
        conn = held.enter_context(database.connect(role, application_name="lightfast-command"))
        found = the_workspace(conn, workspace)
        conn.rollback()
        if not yes:
            _ask(f"{found.org_id}/{found.slug}", deliveries)
        for job in JOBS:
            held.enter_context(job_lock(conn, job, wait=True, waits=say))
        done = remove_workspace(conn, found, deliveries=deliveries, actor=the_operator())
        conn.commit()
    if as_json:
        print_json(asdict(done))
        return
    show(
        f"workspace {found.slug} of organisation {found.org_id} is removed: {done.links:,} links, "
        f"{done.observations:,} observations, {done.deliveries:,} deliveries"
    )
    if done.organisation:
        say(f"it was the last of {found.org_id}: people, connections and credentials went with it")
    if done.kept:
        say(f"{done.kept:,} deliveries stay, and wait for a link (`lightfast waiting`)")


def _ask(name: str, deliveries: bool) -> None:
    if not sys.stdin.isatty():
        raise typer.BadParameter(f"removing {name} needs --yes where nobody can be asked")
    what = (
        "its links, what was derived for it, and its deliveries"
        if deliveries
        else ("its links and what was derived for it")
    )
    given = typer.prompt(f"This removes {what}. Type {name} to go on", err=True)
    if given.strip() != name:
        raise Failure(f"{given.strip()!r} is not {name!r}: nothing was removed")


@workspace_app.command("list")
def list_all(as_json: AsJson = False) -> None:
    """List the workspaces."""
    with a_connection() as conn:
        found = conn.execute(
            """
            SELECT w.slug, w.org_id, w.name, count(i.id) FILTER (WHERE i.is_active), w.created_at
            FROM lightfast.workspaces w
            LEFT JOIN lightfast.integrations i ON i.workspace_id = w.id
            GROUP BY w.id
            ORDER BY w.org_id, w.slug
            """
        ).fetchall()
    if as_json:
        print_json(
            [
                dict(
                    zip(("slug", "org_id", "name", "integrations", "created_at"), row, strict=True)
                )
                for row in found
            ]
        )
    else:
        print_table(("SLUG", "ORG", "NAME", "INTEGRATIONS", "CREATED"), found)
