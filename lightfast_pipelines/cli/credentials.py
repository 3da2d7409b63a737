"""How a command takes a credential for a provider's API: from a prompt or the environment.

A token is never an argument: every process on the machine can read those, and the shell's history keeps
them.
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
    from lightfast_pipelines.store.sealed import Keys

CredentialEnv = Annotated[
    str | None,
    typer.Option("--credential-env", help="Name of the environment variable that holds the token."),
]
AskCredential = Annotated[bool, typer.Option("--ask-credential", help="Prompt for the token.")]
CredentialKind = Annotated[
    str | None,
    typer.Option(
        "--credential-kind",
        help="github_app (no secret), personal, token, oauth, api_key; default: the provider's usual kind.",
    ),
]
RefreshEnv = Annotated[
    str | None,
    typer.Option("--refresh-env", help="Name of the variable that holds the refresh token."),
]
ExpiresAt = Annotated[
    str | None,
    typer.Option(
        "--expires-at", help="When the token expires: 2027-01-31, or 90d from now; default: never."
    ),
]

# For a provider whose API is not known here.
_KINDS = ("personal", "token", "oauth", "api_key", "github_app")


@dataclass(frozen=True, slots=True)
class CredentialOptions:
    """The options of a command that describe a credential."""

    variable: str | None
    ask: bool
    kind: str | None
    refresh_variable: str | None
    expires_at: str | None

    @property
    def are_given(self) -> bool:
        return bool(self.variable or self.ask or self.kind)


def read_credential(provider: str, options: CredentialOptions) -> Credential | None:
    """The credential that the options describe, read from a prompt if they say so; None if they name none."""
    from lightfast_pipelines.providers.api_contract import Credential

    if options.variable and options.ask:
        raise typer.BadParameter("say one of --credential-env and --ask-credential")
    if not options.are_given:
        if options.refresh_variable or options.expires_at:
            raise typer.BadParameter(
                "--refresh-env and --expires-at belong to a credential: say --credential-env or "
                "--ask-credential"
            )
        return None
    # Checked before anything is linked or asked: without a key nothing can be sealed.
    encryption_keys()
    kind = _kind(provider, options.kind)
    if is_minted(provider, kind):
        if options.variable or options.ask or options.refresh_variable or options.expires_at:
            raise typer.BadParameter(
                "github_app takes no token: GITHUB_APP_ID and GITHUB_APP_PRIVATE_KEY make them"
            )
        return Credential(kind, None)
    if not (options.variable or options.ask):
        raise typer.BadParameter(f"{kind} is a token: say --credential-env or --ask-credential")
    token = (
        _token(typer.prompt("Token", hide_input=True, err=True), "the token")
        if options.ask
        else _from_environment(options.variable or "", "--credential-env")
    )
    refresh_token = options.refresh_variable and _from_environment(
        options.refresh_variable, "--refresh-env"
    )
    expires_at = options.expires_at and time_option(
        options.expires_at, "--expires-at", now=datetime.now(UTC), ahead=True
    )
    return Credential(
        kind, token, refresh_token=refresh_token or None, expires_at=expires_at or None
    )


def encryption_keys() -> Keys:
    """The keys in ENCRYPTION_KEY. Raises SealedError."""
    from lightfast_pipelines.settings import settings
    from lightfast_pipelines.store.sealed import Keys

    key = settings().encryption_key
    return Keys.parse(key.get_secret_value() if key else "")


def is_minted(provider: str, kind: str | None) -> bool:
    """Whether credentials of this kind have no token: the application's key makes their tokens."""
    from lightfast_pipelines.providers.api_contract import discover_apis

    api = discover_apis().get(provider)
    return api is not None and kind in api.minted_kinds


def _kind(provider: str, given: str | None) -> str:
    from lightfast_pipelines.providers.api_contract import discover_apis

    api = discover_apis().get(provider)
    kinds = tuple(api.credential_kinds) if api is not None else _KINDS
    if given is None:
        # A token was given, so its kind is one that has a token.
        return next((kind for kind in kinds if not is_minted(provider, kind)), kinds[0])
    if given not in kinds:
        raise typer.BadParameter(
            f"{provider} has no credential of kind {given!r}; known: {', '.join(kinds)}",
            param_hint="--credential-kind",
        )
    return given


def _from_environment(variable: str, option: str) -> str:
    # An unusual name may be the token itself, given by mistake: it is not printed.
    is_usual = re.fullmatch(r"[A-Z_][A-Z0-9_]{0,63}", variable) is not None
    name = variable if is_usual else f"the variable of {option}"
    value = os.environ.get(variable)
    if value is None:
        raise Failure(f"{name} is not set: {option} takes the NAME of an environment variable")
    return _token(value, name)


def _token(text: str, name: str) -> str:
    """The token without outer whitespace. Anything else that would break a header raises Failure."""
    token = text.strip()
    if not token:
        raise Failure(f"{name} is empty")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise Failure(f"{name} is not a token: it has spaces, line ends or letters beyond ASCII")
    return token
