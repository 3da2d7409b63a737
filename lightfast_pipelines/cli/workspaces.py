"""`lightfast workspace`: the tenants of an organisation."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from lightfast_pipelines.cli.console import AsJson, print_json, print_table
from lightfast_pipelines.cli.opening import a_connection

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


@workspace_app.command("add")
def add(
    slug: Annotated[
        str, typer.Argument(callback=_slug, help="Short name, of a-z, 0-9 and hyphens.")
    ],
    org: Annotated[str, typer.Option("--org", help="Organisation it belongs to.")] = "default",
    name: Annotated[
        str | None, typer.Option("--name", help="Display name; default: the slug.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add a workspace. Adding one that is there already changes nothing."""
    from lightfast_pipelines.store.links import add_workspace

    with a_connection(create=True) as conn:
        made = add_workspace(conn, slug, org, name)
        conn.commit()
    if as_json:
        print_json({"id": made.id, "org_id": made.org_id, "slug": made.slug, "name": made.name})
    else:
        typer.echo(f"workspace {made.slug} of organisation {made.org_id}")


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
