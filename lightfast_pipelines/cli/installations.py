"""`lightfast installation`: connections of an organisation, and webhook secrets of their own."""

from __future__ import annotations

import os
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
    forget,
    give,
    taken,
    the_keys,
)
from lightfast_pipelines.cli.opening import a_connection, known_provider
from lightfast_pipelines.cli.root import Failure

if TYPE_CHECKING:
    from lightfast_pipelines.store.installations import Installation

installation_app = typer.Typer(
    help="Installations: connections to a provider, with secrets of their own.",
    no_args_is_help=True,
)

OfProvider = Annotated[str, typer.Option("--provider", "-p", help="github, ...")]
TheId = Annotated[
    str, typer.Option("--id", "-i", help="The provider's id of it, or a name of your own.")
]


@installation_app.command("add")
def add(
    provider: OfProvider,
    external_id: TheId,
    org: Annotated[
        str, typer.Option("--org", help="Organisation whose installation it is.")
    ] = "default",
    account: Annotated[
        str | None, typer.Option("--account", help="Account at the provider, for display.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add an installation. Adding one that is there already changes nothing."""
    from lightfast_pipelines.store.installations import add_installation

    known_provider(provider)
    with a_connection(create=True) as conn:
        made, created = add_installation(conn, provider, external_id, org_id=org, account=account)
        conn.commit()
    if as_json:
        print_json({**_shown(made), "created": created})
    else:
        show(
            f"{provider} installation {external_id} {'added to' if created else 'was already of'} {org}; "
            f"its deliveries go to {_path(made)}"
        )


@installation_app.command("list")
def list_all(as_json: AsJson = False) -> None:
    """List the installations, and how many secrets each has."""
    from lightfast_pipelines.store.installations import list_installations

    with a_connection() as conn:
        found = list_installations(conn)
    if as_json:
        print_json([_shown(one) for one in found])
        return
    columns = ("PROVIDER", "ID", "ORG", "ACCOUNT", "STATUS", "REASON", "SECRETS", "SINCE", "PATH")
    rows = [
        (
            *(one.provider, one.external_id, one.org_id, one.account_login, one.status),
            *(one.status_reason, one.secrets, one.newest_secret_at, _path(one)),
        )
        for one in found
    ]
    print_table(columns, rows)


@installation_app.command("secret")
def secret(
    provider: OfProvider,
    external_id: TheId,
    variable: Annotated[
        str | None,
        typer.Option("--env", help="Environment variable that holds it; default: ask for it."),
    ] = None,
    retire: Annotated[
        bool, typer.Option("--retire", help="End the older secret: the rotation is done.")
    ] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Remove every secret of it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Set its webhook secret; the one before stays valid until --retire or the next.

    The receiver knows of it within half a minute. Never given as an argument: those are seen by
    every process of the machine and kept in the shell's history.
    """
    from lightfast_pipelines.store.installations import (
        find_installation,
        remove_secrets,
        set_secret,
    )

    known_provider(provider)
    if sum((bool(variable), retire, remove)) > 1:
        raise typer.BadParameter("say one of --env, --retire and --remove")
    with a_connection() as conn:
        found = find_installation(conn, provider, external_id)
        if retire or remove:
            live = remove_secrets(conn, found, keep=0 if remove else 1)
        else:
            live = set_secret(conn, the_keys(), found, _asked(variable).encode())
        conn.commit()
    if as_json:
        print_json({"id": found.id, "live_secrets": live, "path": _path(found)})
    else:
        show(f"{live} live secret{'' if live == 1 else 's'}; deliveries go to {_path(found)}")


@installation_app.command("reseal")
def reseal(as_json: AsJson = False) -> None:
    """The same as `lightfast keys rotate`."""
    from lightfast_pipelines.cli.keys import rotate

    rotate(as_json)


@installation_app.command("credential")
def credential(  # noqa: PLR0913, PLR0917 - options, each by its name
    provider: OfProvider,
    external_id: TheId,
    credential_env: CredentialEnv = None,
    ask_credential: AskCredential = False,
    credential_kind: CredentialKind = None,
    refresh_env: RefreshEnv = None,
    expires_at: ExpiresAt = None,
    remove: Annotated[bool, typer.Option("--remove", help="Forget its credential.")] = False,
    as_json: AsJson = False,
) -> None:
    """Give it a credential for the provider's API, in place of the one it has.

    What it was refused for is over then. The token comes from a prompt or an environment variable.
    """
    from lightfast_pipelines.store.installations import find_installation

    known_provider(provider)
    wish = Wish(credential_env, ask_credential, credential_kind, refresh_env, expires_at)
    if remove == wish.is_any:
        raise typer.BadParameter(
            "say one of --credential-env, --ask-credential, --credential-kind github_app and --remove"
        )
    with a_connection() as conn:
        found = find_installation(conn, provider, external_id)
        given = taken(provider, wish)
        if given is None:
            forget(conn, found)
        else:
            give(conn, found, given)
        conn.commit()
    kind = given.kind if given else None
    if as_json:
        print_json({"id": found.id, "credential": kind})
    else:
        what = f"has a credential ({kind})" if kind else "has no credential"
        show(f"{provider} installation {external_id} {what}")


def _asked(variable: str | None) -> str:
    if variable is None:
        given: str = typer.prompt("Webhook secret", hide_input=True, err=True)
    else:
        given = os.environ.get(variable, "")
    if not given.strip():
        raise Failure(f"{variable} is not set" if variable else "an empty secret is none")
    return given.strip()


def _path(one: Installation) -> str:
    from urllib.parse import quote

    return f"/webhooks/{one.provider}/{quote(one.external_id, safe=':')}"


def _shown(one: Installation) -> dict[str, object]:
    return {**asdict(one), "path": _path(one)}
