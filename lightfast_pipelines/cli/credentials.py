"""How a command takes a credential for a provider's API: from a prompt or the environment.

Never as an argument: those are seen by every process of the machine and kept in the shell's history.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from lightfast_pipelines.cli.root import Failure
from lightfast_pipelines.cli.times import time_option

if TYPE_CHECKING:
    from lightfast_pipelines.providers.api_contract import Credential
    from lightfast_pipelines.store.database import Connection
    from lightfast_pipelines.store.installations import Installation
    from lightfast_pipelines.store.sealed import Keys

CredentialEnv = Annotated[
    str | None,
    typer.Option("--credential-env", help="Name of the environment variable that holds the token."),
]
AskCredential = Annotated[bool, typer.Option("--ask-credential", help="Ask for the token here.")]
CredentialKind = Annotated[
    str | None,
    typer.Option(
        "--credential-kind",
        help="github_app (no secret), personal, token, oauth, api_key; default: the provider's usual.",
    ),
]
RefreshEnv = Annotated[
    str | None,
    typer.Option("--refresh-env", help="Name of the variable that holds the refresh token."),
]
ExpiresAt = Annotated[
    str | None,
    typer.Option(
        "--expires-at", help="When the token ends: 2027-01-31, or 90d from now; default: never."
    ),
]

# With a history to say so, a provider's own list counts.
_KINDS = ("personal", "token", "oauth", "api_key", "github_app")


@dataclass(frozen=True, slots=True)
class Wish:
    """What the options say of a credential."""

    variable: str | None
    ask: bool
    kind: str | None
    refresh_variable: str | None
    expires_at: str | None

    @property
    def is_any(self) -> bool:
        return bool(self.variable or self.ask or self.kind)


def taken(provider: str, wish: Wish) -> Credential | None:
    """The credential that the options name, or None where they name none; asks for it if told to."""
    from lightfast_pipelines.providers.api_contract import Credential
    from lightfast_pipelines.store.tokens import GITHUB_APP

    if wish.variable and wish.ask:
        raise typer.BadParameter("say one of --credential-env and --ask-credential")
    if not wish.is_any:
        if wish.refresh_variable or wish.expires_at:
            raise typer.BadParameter(
                "--refresh-env and --expires-at belong to a credential: say --credential-env or "
                "--ask-credential"
            )
        return None
    # Before anything is linked or asked: without a key nothing could be sealed.
    the_keys()
    kind = _kind(provider, wish.kind)
    if kind == GITHUB_APP:
        if wish.variable or wish.ask or wish.refresh_variable or wish.expires_at:
            raise typer.BadParameter(
                "github_app takes no token: GITHUB_APP_ID and GITHUB_APP_PRIVATE_KEY make them"
            )
        return Credential(kind, None)
    if not (wish.variable or wish.ask):
        raise typer.BadParameter(f"{kind} is a token: say --credential-env or --ask-credential")
    return Credential(
        kind,
        _asked() if wish.ask else _from_environment(wish.variable or "", "--credential-env"),
        refresh_token=_from_environment(wish.refresh_variable, "--refresh-env")
        if wish.refresh_variable
        else None,
        expires_at=time_option(wish.expires_at, "--expires-at", now=datetime.now(UTC), ahead=True)
        if wish.expires_at
        else None,
    )


def give(conn: Connection, installation: Installation, credential: Credential) -> None:
    """Seals it for the installation, and says so in the activity. Does not commit."""
    from lightfast_pipelines.cli.opening import the_operator
    from lightfast_pipelines.store import activity, tokens

    tokens.set_credential(conn, the_keys(), installation.id, credential)
    ends = f", good until {credential.expires_at:%Y-%m-%d %H:%M}Z" if credential.expires_at else ""
    activity.record(
        conn,
        "credential.given",
        the_operator(),
        f"a credential ({credential.kind}) was given to {installation.provider} installation "
        f"{installation.external_id}{ends}",
        org_id=installation.org_id,
        provider=installation.provider,
        subject=f"installation {installation.external_id}",
        detail={"kind": credential.kind, "renewable": credential.refresh_token is not None},
    )


def forget(conn: Connection, installation: Installation) -> None:
    """Removes the installation's credential, and says so in the activity. Does not commit."""
    from lightfast_pipelines.cli.opening import the_operator
    from lightfast_pipelines.store import activity, tokens

    if not tokens.remove_credential(conn, installation.id):
        raise Failure(f"{installation.provider} installation {installation.external_id} has none")
    activity.record(
        conn,
        "credential.removed",
        the_operator(),
        f"the credential of {installation.provider} installation {installation.external_id} was removed",
        org_id=installation.org_id,
        provider=installation.provider,
        subject=f"installation {installation.external_id}",
    )


def the_keys() -> Keys:
    """Those of the settings. Raises SealedError."""
    from lightfast_pipelines.settings import settings
    from lightfast_pipelines.store.sealed import Keys

    key = settings().encryption_key
    return Keys.parse(key.get_secret_value() if key else "")


def _kind(provider: str, named: str | None) -> str:
    from lightfast_pipelines.providers.api_contract import discover_apis
    from lightfast_pipelines.store.tokens import GITHUB_APP

    provider_api = discover_apis().get(provider)
    known = tuple(provider_api.credential_kinds) if provider_api is not None else _KINDS
    if named is None:
        # A token was given, so a kind that has one is meant.
        return next((kind for kind in known if kind != GITHUB_APP), known[0])
    if named not in known:
        raise typer.BadParameter(
            f"{named!r} is no kind of credential of {provider}; known: {', '.join(known)}",
            param_hint="--credential-kind",
        )
    return named


def _asked() -> str:
    given: str = typer.prompt("Token", hide_input=True, err=True)
    return _token(given, "the token")


def _from_environment(variable: str, option: str) -> str:
    # What is no usual name may be the token itself, by mistake: it is not said again.
    usual = re.fullmatch(r"[A-Z_][A-Z0-9_]{0,63}", variable) is not None
    named = variable if usual else f"the variable of {option}"
    value = os.environ.get(variable)
    if value is None:
        raise Failure(f"{named} is not set: {option} takes the NAME of an environment variable")
    return _token(value, named)


def _token(text: str, named: str) -> str:
    """As a header can carry it: a line end from a file would end it, or be an error at each request."""
    token = text.strip()
    if not token:
        raise Failure(f"{named} is empty")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise Failure(f"{named} is not a token: it has spaces, line ends or letters beyond ASCII")
    return token
