"""Renews the tokens of Sentry's public integrations. Format: docs.sentry.io, public integrations."""

from __future__ import annotations

from lightfast_pipelines.providers.api_contract import Answer, AppKeys, Call, Credential, Renewed
from lightfast_pipelines.providers.fields import text, time
from lightfast_pipelines.providers.sentry.api.organization import UUID


def request(credential: Credential, keys: AppKeys, installation: str) -> Call | None:
    """A public integration's token lives for eight hours; an internal one's does not expire: None.

    Raises ValueError, with what to set."""
    if credential.kind != "oauth" or not credential.refresh_token:
        return None
    if not keys.client_id or not keys.client_secret:
        raise ValueError("set SENTRY_CLIENT_ID and SENTRY_CLIENT_SECRET to renew Sentry's tokens")
    if not UUID.fullmatch(installation):
        raise ValueError(
            f"{installation[:60]!r} is no installation of Sentry's: connect the installation by its uuid"
        )
    return Call(
        f"/api/0/sentry-app-installations/{installation}/authorizations/",
        method="POST",
        json={
            "grant_type": "refresh_token",
            "refresh_token": credential.refresh_token,
            "client_id": keys.client_id,
            "client_secret": keys.client_secret,
        },
        pool="authorizations",
    )


def renewed(answer: Answer) -> Renewed:
    """Each renewal issues a new refresh token; the old one becomes invalid. Raises ValueError."""
    data = answer.data if isinstance(answer.data, dict) else {}
    token = text(data, "token")
    if token is None:
        raise ValueError("Sentry's answer to the renewal holds no `token`")
    return Renewed(token, text(data, "refreshToken"), time(data, "expiresAt"))
