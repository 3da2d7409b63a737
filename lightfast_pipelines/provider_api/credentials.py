"""Hands out an installation's credential while it is valid, and renews it before it expires.

One process renews at a time. `store/tokens.py` stores credentials, `renewal.py` asks the provider.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta

import httpx

from lightfast_pipelines.provider_api.client import Credentials
from lightfast_pipelines.provider_api.renewal import (
    CredentialError,
    CredentialRefusedError,
    RenewalFailedError,
    ask_for_token,
)
from lightfast_pipelines.provider_api.transport import send, url_of
from lightfast_pipelines.providers.api_contract import (
    Answer,
    Call,
    Credential,
    ProviderApi,
    Renewed,
)
from lightfast_pipelines.settings import Settings
from lightfast_pipelines.store import activity, tokens
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.locks import credential_lock
from lightfast_pipelines.store.sealed import Keys, SealedError
from lightfast_pipelines.store.tokens import Token

_log = logging.getLogger(__name__)

SKEW = timedelta(minutes=5)
"""A token is renewed this long before it expires, so that none expires during a request."""

_READ_AGAIN_SECONDS = 30.0
"""How long a process reuses what it read: a new credential may have been given meanwhile."""

_YOUNG_SECONDS = 60.0
"""A token newer than this is not renewed, whatever our clock says about its expiry: the clock may be
wrong."""

_LOCK_SECONDS = 180.0
"""Longer than a renewal in which every attempt times out."""


class _CannotBeRenewedError(Exception):
    """There is nothing to renew this credential with."""


class StoredCredentials(Credentials):
    """The credential of one installation, as the database keeps it. Not thread-safe.

    `http` sends renewals to the API at `base_url`; the activity names `actor` as who renewed it. Raises
    CredentialError if ENCRYPTION_KEY is not set.
    """

    def __init__(  # noqa: PLR0913 - each collaborator by name
        self,
        database: Database,
        settings: Settings,
        provider_api: ProviderApi,
        installation_id: int,
        base_url: str,
        http: httpx.Client,
        *,
        actor: str = "operator",
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        key = settings.encryption_key
        try:
            self._keys = Keys.parse(key.get_secret_value() if key else "")
        except SealedError as error:
            raise CredentialError(f"the credential cannot be opened: {error}") from error
        self._database, self._provider_api, self._id = database, provider_api, installation_id
        self._app = provider_api.app_keys(settings)
        self._http, self._base_url = http, base_url
        self._actor, self._clock, self._sleep = actor, clock, sleep
        self._held: Credential | None = None
        self._read_at = 0.0
        with self._connected() as conn:
            row = conn.execute(
                "SELECT provider, external_id, org_id FROM lightfast.installations WHERE id = %s",
                (installation_id,),
            ).fetchone()
        if row is None:
            raise CredentialError(f"there is no installation {installation_id}")
        self._provider, self._external_id, self._org_id = row
        self._named = f"{self._provider} installation {self._external_id}"

    def current(self) -> Credential:
        """A credential that stays valid for a while, renewed if necessary.

        Raises CredentialError, RenewalFailedError.
        """
        # A credential that was good a moment ago is reused; if it no longer is, a 401 says so.
        if self._held is not None and time.monotonic() - self._read_at < _READ_AGAIN_SECONDS:
            return self._held
        with self._connected() as conn:
            token = self._load(conn)
        return self._hold(token) if self._is_good(token) else self._renew(None)

    def renewed(self, refused: Credential) -> Credential | None:
        """Another credential after the provider refused this one; None if there is none.

        Raises CredentialError, RenewalFailedError.
        """
        try:
            return self._renew(refused)
        except _CannotBeRenewedError:
            return None

    def refuse(self, reason: str) -> None:
        """Marks the credential last handed out as refused, unless another was given meanwhile."""
        held = self._held
        with self._connected() as conn, self._locked(conn):
            token = self._load(conn)
            if held is None or token.access_token == held.access_token:
                self._mark(
                    conn, token, f"{self._clean(reason, token)}: {self._what_to_do(token.kind)}"
                )
        self._held = None

    def _renew(self, refused: Credential | None) -> Credential:
        with self._connected() as conn, self._locked(conn):
            token = self._load(conn)
            # Another process may have renewed it while this one waited for the lock.
            if refused is None:
                renewed_by_another = self._is_good(token)
            else:
                renewed_by_another = token.access_token not in {None, refused.access_token}
            if renewed_by_another:
                return self._hold(token)
            call = self._call(token)
            if call is None:
                return self._hold(self._unrenewable(conn, token, refused))
            try:
                new = self._ask_provider(conn, token, call)
            except RenewalFailedError as error:
                if refused is None and token.access_token and self._lives(token.expires_at):
                    _log.warning("%s; the token still lives", error)
                    return self._hold(token)
                raise
            return self._store(conn, token, new)

    def _call(self, token: Token) -> Call | None:
        try:
            return self._provider_api.refresh(
                _credential(token), self._app, self._external_id, self._clock()
            )
        except ValueError as error:
            message = self._clean(str(error), token)
        raise CredentialError(f"{self._named}: its token cannot be renewed: {message}")

    def _unrenewable(self, conn: Connection, token: Token, refused: Credential | None) -> Token:
        """The token as it is while it is valid; after that it is marked as refused."""
        if refused is not None:
            raise _CannotBeRenewedError
        if token.access_token is not None and self._lives(token.expires_at):
            return token
        ended = f"ended at {token.expires_at:%Y-%m-%d %H:%M}Z" if token.expires_at else "is missing"
        reason = f"{self._named}: its token {ended} and cannot be renewed: {self._what_to_do(token.kind)}"
        self._mark(conn, token, reason)
        raise CredentialRefusedError(reason)

    def _ask_provider(self, conn: Connection, token: Token, call: Call) -> Renewed:
        """The new token. Marks a refusal. Raises CredentialError, RenewalFailedError."""
        try:
            return ask_for_token(
                self._provider_api,
                _credential(token),
                call,
                send=self._send,
                clock=self._clock,
                sleep=self._sleep,
            )
        except CredentialRefusedError as error:
            reason = f"{self._named}: {error.message}: {self._what_to_do(token.kind)}"
        except CredentialError as error:
            raise CredentialError(f"{self._named}: {error.message}") from None
        except RenewalFailedError as error:
            raise RenewalFailedError(f"{self._named}: {error.message}", error.retry_after) from None
        self._mark(conn, token, reason)
        raise CredentialRefusedError(reason)

    def _send(self, call: Call) -> Answer:
        """Sends the request without the old credential, and follows no redirect."""
        url = url_of(self._provider_api, self._base_url, call)
        return send(self._http, call, url, call.headers).answer

    def _store(self, conn: Connection, token: Token, new: Renewed) -> Credential:
        refresh = new.refresh_token or token.refresh_token
        with conn.transaction():
            tokens.store_renewed(
                conn,
                self._keys,
                self._id,
                access_token=new.access_token,
                refresh_token=refresh,
                expires_at=new.expires_at,
            )
            lives_until = f", good until {new.expires_at:%Y-%m-%d %H:%M}Z" if new.expires_at else ""
            self._record(
                conn, "renewed", token, f"the token of {self._named} was renewed{lives_until}"
            )
        return self._hold(
            Token(token.kind, new.access_token, refresh, new.expires_at, token.details, None)
        )

    def _mark(self, conn: Connection, token: Token, reason: str) -> None:
        with conn.transaction():
            tokens.refuse(conn, self._id, reason)
            self._record(conn, "refused", token, reason)
        self._held = None

    def _record(self, conn: Connection, event_type: str, token: Token, message: str) -> None:
        activity.record(
            conn,
            f"credential.{event_type}",
            self._actor,
            message,
            org_id=self._org_id,
            provider=self._provider,
            subject=f"installation {self._external_id}",
            detail={"kind": token.kind},
        )

    def _load(self, conn: Connection) -> Token:
        try:
            token = tokens.load_credential(conn, self._keys, self._id)
        except SealedError as error:
            raise CredentialError(f"{self._named}: {error}") from error
        if token is None:
            raise CredentialError(f"{self._named} has no credential: {self._what_to_do()}")
        if token.refused is not None:
            raise CredentialRefusedError(token.refused)
        return token

    def _connected(self) -> AbstractContextManager[Connection]:
        return self._database.connect(autocommit=True, application_name="lightfast credential")

    @contextmanager
    def _locked(self, conn: Connection) -> Iterator[None]:
        with credential_lock(conn, self._id, wait_seconds=_LOCK_SECONDS) as is_locked:
            if not is_locked:
                raise RenewalFailedError(
                    f"{self._named}: another process has been renewing its token for {_LOCK_SECONDS:.0f} s"
                )
            yield

    def _is_good(self, token: Token) -> bool:
        if token.access_token is None:
            return False
        is_young = token.renewed_ago is not None and 0 <= token.renewed_ago < _YOUNG_SECONDS
        return is_young or self._lives(token.expires_at, SKEW)

    def _lives(self, expires_at: datetime | None, skew: timedelta = timedelta()) -> bool:
        return expires_at is None or self._clock() < expires_at - skew

    def _hold(self, token: Token) -> Credential:
        self._held, self._read_at = _credential(token), time.monotonic()
        return self._held

    def _what_to_do(self, kind: str | None = None) -> str:
        is_minted = kind in self._provider_api.minted_kinds
        how = f"--credential-kind {kind}" if is_minted else "--ask-credential"
        return (
            f"give a new one with `lightfast installation credential --provider {self._provider} "
            f"--id {self._external_id} {how}`"
        )

    def _clean(self, text: str, token: Token) -> str:
        """A text from others with the secrets that we know removed."""
        app_secrets = (self._app.client_secret, self._app.private_key)
        for secret in (token.access_token, token.refresh_token, *app_secrets):
            if secret:
                text = text.replace(secret, "***")
        return text


def _credential(token: Token) -> Credential:
    return Credential(
        kind=token.kind,
        access_token=token.access_token,
        refresh_token=token.refresh_token,
        expires_at=token.expires_at,
        details=token.details,
    )
