"""`lightfast integration`: which resources a workspace is linked to, and which events it wants."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from lightfast_pipelines.cli.console import print_json, print_result, print_table
from lightfast_pipelines.cli.credentials import (
    AskCredential,
    CredentialEnv,
    CredentialKind,
    CredentialOptions,
    ExpiresAt,
    RefreshEnv,
    encryption_keys,
    is_minted,
    read_credential,
)
from lightfast_pipelines.cli.opening import command_connection, operator_name, workspace_named
from lightfast_pipelines.cli.options import (
    AsJson,
    InWorkspace,
    OfProvider,
    OfResource,
    OnlyWorkspace,
)
from lightfast_pipelines.cli.root import Failure

if TYPE_CHECKING:
    from lightfast_pipelines.store.database import Connection
    from lightfast_pipelines.store.linked_resources import Integration

integration_app = typer.Typer(
    help="Integrations: resources that are linked to a workspace.", no_args_is_help=True
)


@contextmanager
def _linked(
    workspace: str, provider: str, resource: str
) -> Iterator[tuple[Connection, Integration]]:
    from lightfast_pipelines.store.linked_resources import REMOVED, find_integration

    with command_connection() as conn:
        integration = find_integration(conn, workspace_named(conn, workspace), provider, resource)
        if integration.status_reason == REMOVED:
            # Its row is kept for what it let in; pausing or resuming it would link it again.
            raise Failure(
                f"{_name(integration)} is not linked to {workspace}: it was removed "
                "(`lightfast integration add` links it again)"
            )
        yield conn, integration


def _name(integration: Integration) -> str:
    return f"{integration.provider} {integration.resource_name or integration.resource_id}"


def _report(as_json: bool, text: str, requeued: int, **fields: object) -> None:
    waiting = f"; {requeued:,} deliveries are waiting to be read again" if requeued else ""
    print_result(as_json, {**fields, "requeued": requeued}, f"{text}{waiting}")


@integration_app.command("add")
def add(  # noqa: PLR0913, PLR0917 - options, each passed by name
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
        bool, typer.Option("--unchecked", help="Accept the id in any form.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Link a resource to a workspace.

    The resource's earlier deliveries go back into the queue. With a credential, `lightfast backfill` can
    read its history; the credential belongs to the installation and serves all of its resources.
    """
    from lightfast_pipelines.provider_api.given_credentials import give_credential
    from lightfast_pipelines.providers.files_contract import discover_files
    from lightfast_pipelines.store.document_queue import queue_integration
    from lightfast_pipelines.store.installations import installation_of, the_installation
    from lightfast_pipelines.store.linked_resources import link_resource

    if is_minted(provider, credential_kind) and installation is None:
        raise typer.BadParameter("github_app needs --installation: its tokens belong to one")
    options = CredentialOptions(
        credential_env, ask_credential, credential_kind, refresh_env, expires_at
    )
    # Before linking, which blocks capture: a person may take time to answer.
    credential = read_credential(provider, options)
    with command_connection() as conn:
        target = workspace_named(conn, workspace)
        if not unchecked:
            resource = _resource_id(conn, provider, resource)
        report = link_resource(
            conn,
            target,
            provider,
            resource,
            name=name,
            connected_by=operator_name(),
            installation_id=the_installation(conn, provider, installation, target.org_id).id
            if installation
            else None,
        )
        if report.created and provider in discover_files():
            queue_integration(conn, report.integration_id, "a new link")
        conn.commit()
        if credential is not None:
            owner = installation_of(conn, provider, resource)
            give_credential(conn, encryption_keys(), owner, credential, operator_name())
            conn.commit()
    linked = "linked to" if report.created else "was already linked to"
    text = f"{provider} {name or resource} {linked} {workspace}"
    _report(
        as_json,
        f"{text}, with a credential ({credential.kind})" if credential else text,
        report.requeued,
        integration_id=report.integration_id,
        created=report.created,
        **({"credential": credential.kind} if credential else {}),
    )


def _resource_id(conn: Connection, provider: str, given: str) -> str:
    """The id as payloads write it. Another form is accepted if deliveries with it have arrived."""
    from lightfast_pipelines.providers import discover
    from lightfast_pipelines.store.routed_payloads import has_arrived

    try:
        return discover()[provider].resource_id(given)
    except ValueError as error:
        if has_arrived(conn, provider, given):
            return given
        shown = given if "@" not in given else "that"
        raise typer.BadParameter(
            f"no delivery can name {shown!r}. {error}", param_hint="--resource"
        ) from error


@integration_app.command("list")
def list_all(workspace: OnlyWorkspace = None, as_json: AsJson = False) -> None:
    """List the linked resources."""
    from lightfast_pipelines.store.linked_resources import list_integrations

    with command_connection() as conn:
        integrations = list_integrations(
            conn, workspace_named(conn, workspace) if workspace else None
        )
    if as_json:
        print_json([asdict(integration) for integration in integrations])
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
            # Not repeated if REASON says the same.
            item.sync_error if item.sync_error != item.status_reason else None,
            _documents_of(item),
        )
        for item in integrations
    ]
    columns = ("WORKSPACE", "PROVIDER", "RESOURCE", "NAME", "STATUS", "REASON", "EVENTS")
    print_table((*columns, "CREDENTIAL", "HISTORY", "READ AT", "ERROR", "DOCUMENTS"), rows)


def _events_of(integration: Integration) -> str:
    events = integration.sync_config.get("events")
    return "default" if events is None else ", ".join(events) or "none"


def _documents_of(integration: Integration) -> str | None:
    if integration.documents_error is not None:
        return integration.documents_error
    if integration.config_status == "invalid":
        return integration.config_message
    return str(integration.document_count) if integration.config_status == "ok" else None


@integration_app.command("documents")
def documents(
    workspace: InWorkspace,
    provider: OfProvider,
    resource: OfResource,
    include: Annotated[
        list[str] | None,
        typer.Option(
            "--include", help="Files that are documents (docs/**, *.md); may be repeated."
        ),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option("--exclude", help="Files among them that are not documents; may be repeated."),
    ] = None,
    default: Annotated[
        bool, typer.Option("--default", help="Let lightfast.yml in the repository name them.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show or set which files of a repository are documents.

    What is set here counts instead of `lightfast.yml` in the repository. `lightfast documents sync`
    fetches them at once, a running Dagster within two minutes.
    """
    from lightfast_pipelines.domain.document_config import ConfigError, patterns_of_settings
    from lightfast_pipelines.providers.files_contract import discover_files
    from lightfast_pipelines.store.linked_resources import set_sync_config

    if provider not in discover_files():
        raise typer.BadParameter(f"{provider} keeps no files", param_hint="--provider")
    if default and (include or exclude):
        raise typer.BadParameter("say either --default or --include and --exclude")
    patterns = {"include": include or [], **({"exclude": exclude} if exclude else {})}
    if include or exclude:
        try:
            patterns_of_settings(patterns)
        except ConfigError as error:
            raise typer.BadParameter(str(error), param_hint="--include, --exclude") from error
    requeued = 0
    with _linked(workspace, provider, resource) as (conn, integration):
        config = dict(integration.sync_config)
        if default:
            config.pop("documents", None)
        elif include or exclude:
            config["documents"] = patterns
        if config != integration.sync_config:
            requeued = set_sync_config(conn, integration, config)
            conn.commit()
    named = config.get("documents")
    shown = "named by lightfast.yml in the repository" if named is None else _patterns(named)
    fields = {
        name: getattr(integration, name)
        for name in ("config_status", "config_message", "last_config_check", "document_count")
    }
    text = f"documents: {shown}; {integration.config_message or 'not looked at yet'}"
    _report(as_json, text, requeued, documents=named, **fields)


def _patterns(named: Mapping[str, list[str]]) -> str:
    without = ", ".join(named.get("exclude", ()))
    return ", ".join(named["include"]) + (f" without {without}" if without else "")


@integration_app.command("events")
def events(
    workspace: InWorkspace,
    provider: OfProvider,
    resource: OfResource,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="Want this event; may be repeated.")
    ] = None,
    default: Annotated[
        bool, typer.Option("--default", help="Want the provider's default list.")
    ] = False,
    none: Annotated[bool, typer.Option("--none", help="Want no event.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show or set which events are wanted.

    After a change, deliveries that were filtered are read again.
    """
    from lightfast_pipelines.providers import discover
    from lightfast_pipelines.store.linked_resources import set_sync_config

    if sum((bool(only), default, none)) > 1:
        raise typer.BadParameter("say one of --only, --default and --none")
    requeued = 0
    if only:
        _check_events(provider, only)
    with _linked(workspace, provider, resource) as (conn, integration):
        config = dict(integration.sync_config)
        if only or none:
            config["events"] = sorted(set(only or ()))
        elif default:
            config.pop("events", None)
        if only or none or default:
            requeued = set_sync_config(conn, integration, config)
            conn.commit()
    wanted = config.get("events")
    defaults = sorted(discover()[provider].default_events)
    shown = "the default list" if wanted is None else ", ".join(wanted) or "none"
    text = f"events wanted: {shown} (default: {', '.join(defaults)})"
    _report(as_json, text, requeued, events=wanted, default_events=defaults)


def _check_events(provider: str, wanted: list[str]) -> None:
    """Refuses an event for which the provider has no rule: it would silently filter everything."""
    from fnmatch import fnmatchcase

    from lightfast_pipelines.providers import discover

    rules = {rule.event for rule in discover()[provider].events}
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
    """Filter the deliveries of a resource from now on.

    They are kept, and `resume` puts them back into the queue.
    """
    _set_active(workspace, provider, resource, as_json, active=False)


@integration_app.command("resume")
def resume(
    workspace: InWorkspace, provider: OfProvider, resource: OfResource, as_json: AsJson = False
) -> None:
    """End a pause.

    Deliveries that arrived during the pause go back into the queue.
    """
    _set_active(workspace, provider, resource, as_json, active=True)


def _set_active(
    workspace: str, provider: str, resource: str, as_json: bool, *, active: bool
) -> None:
    from lightfast_pipelines.store.linked_resources import set_active

    reason = None if active else "paused by an operator"
    with _linked(workspace, provider, resource) as (conn, integration):
        requeued = set_active(
            conn, integration, active=active, reason=reason, actor=operator_name()
        )
        conn.commit()
    verb = "was already" if integration.is_active == active else "is"
    state = "active" if active else "paused"
    _report(as_json, f"{_name(integration)} {verb} {state}", requeued, is_active=active)


@integration_app.command("remove")
def remove(
    workspace: InWorkspace, provider: OfProvider, resource: OfResource, as_json: AsJson = False
) -> None:
    """Unlink a resource from a workspace.

    New deliveries no longer reach the workspace; what is stored stays.
    """
    from lightfast_pipelines.store.linked_resources import remove_integration

    with _linked(workspace, provider, resource) as (conn, integration):
        remove_integration(conn, integration, actor=operator_name())
        conn.commit()
    _report(as_json, f"{_name(integration)} is no longer linked", 0, removed=True)
