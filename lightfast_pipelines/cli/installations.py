"""`lightfast installation`: connections of an organisation, and webhook secrets of their own."""

from __future__ import annotations

import os
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
    read_credential,
)
from lightfast_pipelines.cli.opening import command_connection, operator_name
from lightfast_pipelines.cli.options import AsJson, OfProvider
from lightfast_pipelines.cli.root import Failure

if TYPE_CHECKING:
    from lightfast_pipelines.store.installations import Installation

installation_app = typer.Typer(
    help="Installations: an organisation's connections to providers.",
    no_args_is_help=True,
)

ExternalId = Annotated[
    str,
    typer.Option("--id", "-i", help="The provider's id of the installation, or a name you choose."),
]


@installation_app.command("add")
def add(
    provider: OfProvider,
    external_id: ExternalId,
    org: Annotated[
        str, typer.Option("--org", help="The organisation that it belongs to.")
    ] = "default",
    account: Annotated[
        str | None, typer.Option("--account", help="Account at the provider, for display.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add an installation. Adding an existing one changes nothing."""
    from lightfast_pipelines.store.installations import add_installation

    with command_connection(create=True) as conn:
        installation, created = add_installation(
            conn, provider, external_id, org_id=org, account=account
        )
        conn.commit()
    text = (
        f"{provider} installation {external_id} {'added to' if created else 'was already of'} {org}; "
        f"its deliveries go to {_path(installation)}"
    )
    print_result(as_json, {**_as_dict(installation), "created": created}, text)


@installation_app.command("list")
def list_all(as_json: AsJson = False) -> None:
    """List the installations, and how many secrets each has."""
    from lightfast_pipelines.store.installations import list_installations

    with command_connection() as conn:
        installations = list_installations(conn)
    if as_json:
        print_json([_as_dict(installation) for installation in installations])
        return
    columns = ("PROVIDER", "ID", "ORG", "ACCOUNT", "STATUS", "REASON", "SECRETS", "SINCE", "PATH")
    rows = [
        (
            *(item.provider, item.external_id, item.org_id, item.account_login, item.status),
            *(item.status_reason, item.secrets, item.newest_secret_at, _path(item)),
        )
        for item in installations
    ]
    print_table(columns, rows)


@installation_app.command("secret")
def secret(
    provider: OfProvider,
    external_id: ExternalId,
    variable: Annotated[
        str | None,
        typer.Option(
            "--env", help="Environment variable that holds the secret; default: a prompt."
        ),
    ] = None,
    retire: Annotated[
        bool, typer.Option("--retire", help="End the older secret, which completes a rotation.")
    ] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Remove all its secrets.")] = False,
    as_json: AsJson = False,
) -> None:
    """Set an installation's webhook secret.

    The previous secret stays valid until --retire or until another is set. The receiver uses a new one
    within half a minute. A secret is never an argument: every process on the machine can read those, and
    the shell's history keeps them.
    """
    from lightfast_pipelines.store.installations import (
        find_installation,
        remove_secrets,
        set_secret,
    )

    if sum((bool(variable), retire, remove)) > 1:
        raise typer.BadParameter("say one of --env, --retire and --remove")
    with command_connection() as conn:
        installation = find_installation(conn, provider, external_id)
        if retire or remove:
            live = remove_secrets(conn, installation, keep=0 if remove else 1)
        else:
            live = set_secret(
                conn, encryption_keys(), installation, _read_secret(variable).encode()
            )
        conn.commit()
    path = _path(installation)
    text = f"{live} live secret{'' if live == 1 else 's'}; deliveries go to {path}"
    print_result(as_json, {"id": installation.id, "live_secrets": live, "path": path}, text)


@installation_app.command("reseal")
def reseal(as_json: AsJson = False) -> None:
    """The same as `lightfast keys rotate`."""
    from lightfast_pipelines.cli.keys import rotate

    rotate(as_json)


@installation_app.command("credential")
def credential(  # noqa: PLR0913, PLR0917 - options, each passed by name
    provider: OfProvider,
    external_id: ExternalId,
    credential_env: CredentialEnv = None,
    ask_credential: AskCredential = False,
    credential_kind: CredentialKind = None,
    refresh_env: RefreshEnv = None,
    expires_at: ExpiresAt = None,
    remove: Annotated[bool, typer.Option("--remove", help="Remove its credential.")] = False,
    as_json: AsJson = False,
) -> None:
    """Set an installation's credential for the provider's API.

    It replaces the previous one and clears a refusal. The token comes from a prompt or an environment
    variable.
    """
    from lightfast_pipelines.provider_api.given_credentials import (
        give_credential,
        remove_credential,
    )
    from lightfast_pipelines.store.installations import find_installation

    options = CredentialOptions(
        credential_env, ask_credential, credential_kind, refresh_env, expires_at
    )
    if remove == options.are_given:
        raise typer.BadParameter(
            "say one of --credential-env, --ask-credential, --credential-kind github_app and --remove"
        )
    with command_connection() as conn:
        installation = find_installation(conn, provider, external_id)
        given = read_credential(provider, options)
        if given is None:
            if not remove_credential(conn, installation, operator_name()):
                raise Failure(f"{provider} installation {external_id} has none")
        else:
            give_credential(conn, encryption_keys(), installation, given, operator_name())
        conn.commit()
    kind = given.kind if given else None
    text = f"has a credential ({kind})" if kind else "has no credential"
    result = {"id": installation.id, "credential": kind}
    print_result(as_json, result, f"{provider} installation {external_id} {text}")


def _read_secret(variable: str | None) -> str:
    if variable is None:
        given: str = typer.prompt("Webhook secret", hide_input=True, err=True)
    else:
        given = os.environ.get(variable, "")
    if not given.strip():
        raise Failure(f"{variable} is not set" if variable else "the secret is empty")
    return given.strip()


def _path(installation: Installation) -> str:
    from urllib.parse import quote

    return f"/webhooks/{installation.provider}/{quote(installation.external_id, safe=':')}"


def _as_dict(installation: Installation) -> dict[str, object]:
    return {**asdict(installation), "path": _path(installation)}
