"""`lightfast integration`: which resources a workspace wants, and what of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from lightfast_pipelines.cli.console import AsJson, print_json, print_table, show
from lightfast_pipelines.cli.credentials import (
    AskCredential,
    CredentialEnv,
    CredentialKind,
    ExpiresAt,
    RefreshEnv,
    Wish,
    give,
    taken,
)
from lightfast_pipelines.cli.opening import (
    a_connection,
    known_provider,
    the_operator,
    the_workspace,
)
from lightfast_pipelines.cli.root import Failure

if TYPE_CHECKING:
    from lightfast_pipelines.store.database import Connection
    from lightfast_pipelines.store.links import Integration

integration_app = typer.Typer(
    help="Integrations: resources linked to a workspace.", no_args_is_help=True
)

InWorkspace = Annotated[
    str, typer.Option("--workspace", "-w", help="Workspace (slug, or org/slug).")
]
OfProvider = Annotated[str, typer.Option("--provider", "-p", help="github, ...")]
OfResource = Annotated[
    str, typer.Option("--resource", "-r", help="The provider's id of it, or its name.")
]


@contextmanager
def _one(workspace: str, provider: str, resource: str) -> Iterator[tuple[Connection, Integration]]:
    from lightfast_pipelines.store.links import REMOVED, find_integration

    known_provider(provider)
    with a_connection() as conn:
        item = find_integration(conn, the_workspace(conn, workspace), provider, resource)
        if item.status_reason == REMOVED:
            # Its row is kept for what it let in; pausing or resuming it would link it again unasked.
            raise Failure(
                f"{provider} {item.resource_name or item.resource_id} is not linked to {workspace}: "
                "it was removed (`lightfast integration add` links it again)"
            )
        yield conn, item


def _say(as_json: bool, text: str, requeued: int, **more: object) -> None:
    if as_json:
        print_json({**more, "requeued": requeued})
    else:
        waiting = f"; {requeued:,} deliveries wait to be looked at again" if requeued else ""
        show(f"{text}{waiting}")


@integration_app.command("add")
def add(  # noqa: PLR0913, PLR0917 - options, each by its name
    workspace: InWorkspace,
    provider: OfProvider,
    resource: Annotated[
        str,
        typer.Option("--resource", "-r", help="The provider's stable id (a repository's number)."),
    ],
    name: Annotated[
        str | None, typer.Option("--name", help="Display name, e.g. owner/repo.")
    ] = None,
    installation: Annotated[
        str | None,
        typer.Option(
            "--installation",
            help="The provider's id of the installation it belongs to (`lightfast installation list`).",
        ),
    ] = None,
    credential_env: CredentialEnv = None,
    ask_credential: AskCredential = False,
    credential_kind: CredentialKind = None,
    refresh_env: RefreshEnv = None,
    expires_at: ExpiresAt = None,
    unchecked: Annotated[
        bool, typer.Option("--unchecked", help="Take the id as it is, whatever its form.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Link a resource to a workspace; what came for it before goes back into the queue.

    With a credential its history can be read (`lightfast backfill`). It belongs to the resource's
    installation, and serves every resource of that.
    """
    from lightfast_pipelines.store.installations import installation_of, the_installation
    from lightfast_pipelines.store.links import link_resource
    from lightfast_pipelines.store.tokens import GITHUB_APP

    known_provider(provider)
    if credential_kind == GITHUB_APP and installation is None:
        raise typer.BadParameter("github_app needs --installation: whose tokens it asks for")
    wish = Wish(credential_env, ask_credential, credential_kind, refresh_env, expires_at)
    # Before the link, which keeps capture waiting: a person may take time to answer.
    credential = taken(provider, wish)
    with a_connection() as conn:
        place = the_workspace(conn, workspace)
        if not unchecked:
            resource = _resource_id(conn, provider, resource)
        report = link_resource(
            conn,
            place,
            provider,
            resource,
            name=name,
            connected_by=the_operator(),
            installation_id=the_installation(conn, provider, installation, place.org_id).id
            if installation
            else None,
        )
        conn.commit()
        if credential is not None:
            give(conn, installation_of(conn, provider, resource), credential)
            conn.commit()
    text = f"{provider} {name or resource} {'linked to' if report.created else 'was linked already to'} {workspace}"
    more = {"credential": credential.kind} if credential else {}
    _say(
        as_json,
        f"{text}, with a credential ({credential.kind})" if credential else text,
        report.requeued,
        integration_id=report.integration_id,
        created=report.created,
        **more,
    )


def _resource_id(conn: Connection, provider: str, given: str) -> str:
    """The id as payloads name it. One of another form is taken where deliveries of it have come."""
    from lightfast_pipelines.providers import discover
    from lightfast_pipelines.store.links import has_come

    try:
        return discover()[provider].resource_id(given)
    except ValueError as error:
        if has_come(conn, provider, given):
            return given
        shown = given if "@" not in given else "that"
        raise typer.BadParameter(
            f"no delivery can name {shown!r}. {error}", param_hint="--resource"
        ) from error


@integration_app.command("list")
def list_all(
    workspace: Annotated[
        str | None, typer.Option("--workspace", "-w", help="Of this workspace only.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List what is linked."""
    from lightfast_pipelines.store.links import list_integrations

    with a_connection() as conn:
        found = list_integrations(conn, the_workspace(conn, workspace) if workspace else None)
    if as_json:
        print_json([asdict(item) for item in found])
        return
    rows = [
        (
            item.workspace,
            item.provider,
            item.resource_id,
            item.resource_name,
            "active" if item.is_active else "paused",
            item.status_reason,
            _events_of(item),
            *(item.credential, item.sync_status, item.last_synced_at),
            # Said under REASON already where it is one and the same.
            item.sync_error if item.sync_error != item.status_reason else None,
        )
        for item in found
    ]
    columns = ("WORKSPACE", "PROVIDER", "RESOURCE", "NAME", "STATUS", "REASON", "EVENTS")
    print_table((*columns, "CREDENTIAL", "HISTORY", "READ AT", "ERROR"), rows)


def _events_of(item: Integration) -> str:
    events = item.sync_config.get("events")
    return "default" if events is None else ", ".join(events) or "none"


@integration_app.command("events")
def events(
    workspace: InWorkspace,
    provider: OfProvider,
    resource: OfResource,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="Want this event; repeat it for several.")
    ] = None,
    default: Annotated[
        bool, typer.Option("--default", help="Want the provider's default list.")
    ] = False,
    none: Annotated[bool, typer.Option("--none", help="Want no event.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show or set which events are wanted; what was filtered is judged again."""
    from lightfast_pipelines.providers import discover
    from lightfast_pipelines.store.links import set_sync_config

    if sum((bool(only), default, none)) > 1:
        raise typer.BadParameter("say one of --only, --default and --none")
    requeued = 0
    if only:
        _check_events(provider, only)
    with _one(workspace, provider, resource) as (conn, item):
        config = dict(item.sync_config)
        if only or none:
            config["events"] = sorted(set(only or ()))
        elif default:
            config.pop("events", None)
        if only or none or default:
            requeued = set_sync_config(conn, item, config)
            conn.commit()
    wanted = config.get("events")
    known = sorted(discover()[provider].default_events)
    shown = "the default list" if wanted is None else ", ".join(wanted) or "none"
    text = f"events wanted: {shown} (default: {', '.join(known)})"
    _say(as_json, text, requeued, events=wanted, default_events=known)


def _check_events(provider: str, wanted: list[str]) -> None:
    """An event that the provider has no rule for would filter everything, without a word."""
    from fnmatch import fnmatchcase

    from lightfast_pipelines.providers import discover

    rules = {rule.event for rule in discover()[known_provider(provider)].events}
    unknown = [name for name in wanted if not any(fnmatchcase(name, rule) for rule in rules)]
    if unknown:
        raise typer.BadParameter(
            f"{provider} has no event {', '.join(unknown)}; known: {', '.join(sorted(rules))}",
            param_hint="--only",
        )


@integration_app.command("pause")
def pause(
    workspace: InWorkspace, provider: OfProvider, resource: OfResource, as_json: AsJson = False
) -> None:
    """Filter what comes from now on; it is kept, and judged again by `resume`."""
    from lightfast_pipelines.store.links import set_active

    with _one(workspace, provider, resource) as (conn, item):
        requeued = set_active(
            conn, item, active=False, reason="paused by an operator", actor=the_operator()
        )
        conn.commit()
    was = "is" if item.is_active else "was already"
    _say(
        as_json,
        f"{provider} {item.resource_name or item.resource_id} {was} paused",
        requeued,
        is_active=False,
    )


@integration_app.command("resume")
def resume(
    workspace: InWorkspace, provider: OfProvider, resource: OfResource, as_json: AsJson = False
) -> None:
    """End a pause; what came meanwhile goes back into the queue."""
    from lightfast_pipelines.store.links import set_active

    with _one(workspace, provider, resource) as (conn, item):
        requeued = set_active(conn, item, active=True, reason=None, actor=the_operator())
        conn.commit()
    was = "was already" if item.is_active else "is"
    _say(
        as_json,
        f"{provider} {item.resource_name or item.resource_id} {was} active",
        requeued,
        is_active=True,
    )


@integration_app.command("remove")
def remove(
    workspace: InWorkspace, provider: OfProvider, resource: OfResource, as_json: AsJson = False
) -> None:
    """Unlink: new deliveries no longer reach the workspace; what is stored stays."""
    from lightfast_pipelines.store.links import remove_integration

    with _one(workspace, provider, resource) as (conn, item):
        remove_integration(conn, item, actor=the_operator())
        conn.commit()
    _say(
        as_json,
        f"{provider} {item.resource_name or item.resource_id} is no longer linked",
        0,
        removed=True,
    )
