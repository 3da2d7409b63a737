"""A provider whose tokens expire, and the API contract that renews them.

As in OAuth (RFC 6749, 6): a refresh token is valid once, and the answer contains the next one.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

from lightfast_pipelines.provider_api.credentials import StoredCredentials
from lightfast_pipelines.providers.api_contract import Answer, AppKeys, Call, Credential, Renewed
from lightfast_pipelines.settings import Settings
from lightfast_pipelines.store.activity import list_activity
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.sealed import Keys
from tests.backfill.plain import PlainProviderApi
from tests.servers.serving import Receive, Scope, Send

KEY = "07" * 32
KEYS = Keys.parse(KEY)

Make = Callable[..., StoredCredentials]


@dataclass(slots=True)
class TokenServer:
    """Issues `{name}-access-{n}` and `{name}-refresh-{n}`; only the latest refresh token is valid."""

    name: str = "secret"
    lives: float = 3_600.0
    slow: float = 0.0
    given: int = 0
    refresh: str = "secret-refresh-0"
    spent: list[str] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = (await receive())["body"].decode()
        await asyncio.sleep(self.slow)
        status, answer = self._answer(scope["path"], body, dict(scope["headers"]))
        head = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": head})
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})

    def _answer(self, path: str, body: str, headers: Mapping[bytes, bytes]) -> tuple[int, Any]:
        if path.startswith("/app/installations/"):
            if headers.get(b"authorization") != b"Bearer proof-of-app":
                return 401, {"message": "A JSON web token could not be decoded"}
            self.given += 1
            return 201, {
                "access_token": f"{self.name}-access-{self.given}",
                "expires_in": self.lives,
            }
        token = parse_qs(body).get("refresh_token", [""])[0]
        if token != self.refresh:
            return 400, {"error": "invalid_grant", "error_description": f"{token} is spent"}
        self.spent.append(token)
        self.given += 1
        self.refresh = f"{self.name}-refresh-{self.given}"
        return 200, {
            "access_token": f"{self.name}-access-{self.given}",
            "refresh_token": self.refresh,
            "expires_in": self.lives,
        }


class RenewingProviderApi(PlainProviderApi):
    """Renews `oauth` by its refresh token and `github_app` by the application's key, nothing else."""

    provider = "linear"
    credential_kinds: Sequence[str] = ("oauth", "api_key", "github_app")
    minted_kinds: Sequence[str] = ("github_app",)

    def app_keys(self, settings: Settings) -> AppKeys:
        secret = settings.linear_client_secret
        return AppKeys(settings.linear_client_id, secret.get_secret_value() if secret else None)

    def refresh(
        self, credential: Credential, keys: AppKeys, place_id: str, now: datetime
    ) -> Call | None:
        if credential.kind == "github_app":
            path = f"app/installations/{place_id}/access_tokens"
            return Call(path, "POST", headers={"Authorization": "Bearer proof-of-app"})
        if credential.refresh_token is None:
            return None
        if keys.client_id is None:
            raise ValueError(f"LINEAR_CLIENT_ID is not set ({credential.refresh_token})")
        form = {"grant_type": "refresh_token", "refresh_token": credential.refresh_token}
        return Call("oauth/token", "POST", form=form)

    def refreshed(self, credential: Credential, answer: Answer, now: datetime) -> Renewed:
        try:
            data = answer.data
            ends = now + timedelta(seconds=data["expires_in"])
            return Renewed(data["access_token"], data.get("refresh_token"), ends)
        except (TypeError, KeyError) as error:
            raise ValueError(f"not a token: {answer.data!r}") from error


def now() -> datetime:
    return datetime.now(UTC)


def deeds(conn: Connection) -> list[tuple[str, str]]:
    conn.rollback()
    entries = list_activity(conn, action="credential")
    return [(entry.action, entry.actor) for entry in reversed(entries)]
