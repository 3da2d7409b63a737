"""An installation's credential: handed out while it lives, renewed before it ends, by one at a time.

How it is stored stands in `store/tokens.py`, what a provider takes for a renewal in its `history`.
Every message here is written from what we know ourselves: a provider's answer may hold a token.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urljoin

import httpx
import msgspec

from lightfast_pipelines.history.client import CallFailedError, Credentials
from lightfast_pipelines.providers.history import (
    Answer,
    AppKeys,
    Call,
    Credential,
    History,
    Outcome,
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
"""How long before its end a token is renewed: no request starts with one that ends under way."""

_READ_AGAIN_SECONDS = 30.0
"""For how long a process goes on with what it read: another one may have been given meanwhile."""

_ATTEMPTS = 3
_LOCK_SECONDS = 180.0
"""Longer than a renewal can take whose every attempt times out."""

# Of OAuth (RFC 6749, 5.2): the application is at fault, which the settings name; the token may be good.
_OF_THE_APPLICATION = frozenset({"invalid_client", "unauthorized_client"})
_PASSING = frozenset({0, 408, 425, 429})


class CredentialError(CallFailedError):
    """There is no credential to ask with; the message says what to do and holds no secret."""

    def __init__(self, message: str) -> None:
        super().__init__(Outcome.CREDENTIAL, message)


class CredentialRefusedError(CredentialError):
    """The provider takes the credential no more: it is marked so until another is given."""


class RenewalFailedError(CallFailedError):
    """The provider could not be asked for a new token just now; the credential is not at fault."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(Outcome.UNAVAILABLE, message, retry_after)


class _CannotBeRenewed(Exception):
    """There is nothing to renew this credential with."""


@dataclass(frozen=True, slots=True)
class Holder:
    """The installation whose credential it is; `external_id` is the provider's id of it."""

    installation_id: int
    external_id: str
    provider: str
    org_id: str


def app_keys(settings: Settings, provider: str) -> AppKeys:
    """What the settings say of the application that renews this provider's tokens."""
    if provider == "github":
        key = settings.github_app_private_key
        return AppKeys(
            client_id=settings.github_app_id, private_key=key.get_secret_value() if key else None
        )
    if provider == "linear":
        secret = settings.linear_client_secret
        return AppKeys(settings.linear_client_id, secret.get_secret_value() if secret else None)
    if provider == "sentry":
        # It verifies webhooks too, where two may be live while rotating: the first is the new one.
        secrets = settings.webhook_secrets(("SENTRY_CLIENT_SECRET",))
        return AppKeys(settings.sentry_client_id, secrets[0][1].decode() if secrets else None)
    return AppKeys()


def sender(http: httpx.Client, base_url: str) -> Callable[[Call], Answer]:
    """Sends renewals: without the old credential, once, and never to where an answer points."""

    def send(call: Call) -> Answer:
        url = (
            call.path
            if "://" in call.path
            else urljoin(base_url.rstrip("/") + "/", call.path.lstrip("/"))
        )
        try:
            response = http.request(
                call.method,
                url,
                params=dict(call.params) or None,
                json=call.json,
                data=dict(call.form) if call.form is not None else None,
                headers=dict(call.headers),
                follow_redirects=False,
            )
        except httpx.TransportError:
            return Answer(0, {}, None, url)
        try:
            data: Any = msgspec.json.decode(response.content)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            data = None
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, headers, data, url)

    return send


class StoredCredentials(Credentials):
    """The credential of one installation, from the database. For one thread at a time.

    `send` sends a renewal and gives the answer, of status 0 where none came.
    """

    def __init__(
        self,
        database: Database,
        keys: Keys,
        history: History,
        app: AppKeys,
        holder: Holder,
        *,
        send: Callable[[Call], Answer],
        actor: str = "operator",
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._database, self._keys, self._history, self._app = database, keys, history, app
        self._holder, self._send, self._actor = holder, send, actor
        self._clock, self._sleep = clock, sleep
        self._held: Credential | None = None
        self._read_at = 0.0

    def current(self) -> Credential:
        """One that is live for a while yet, renewed if need be. Raises CredentialError,
        RenewalFailedError."""
        held = self._held
        fresh = time.monotonic() - self._read_at < _READ_AGAIN_SECONDS
        if held is not None and fresh and self._lives(held.expires_at, SKEW):
            return held
        with self._connected() as conn:
            token = self._load(conn)
        if token.access_token is not None and self._lives(token.expires_at, SKEW):
            return self._hold(token)
        return self._renew(None)

    def renewed(self, refused: Credential) -> Credential | None:
        """Another one after the provider refused this, though it seemed live; None: there is none."""
        try:
            return self._renew(refused)
        except _CannotBeRenewed:
            return None

    def refuse(self, reason: str) -> None:
        """Marks the credential last handed out as refused, unless another was given meanwhile."""
        held = self._held
        with self._connected() as conn, self._locked(conn):
            token = self._load(conn)
            if held is None or token.access_token == held.access_token:
                self._mark(conn, token, reason)
        self._held = None

    def _renew(self, refused: Credential | None) -> Credential:
        with self._connected() as conn, self._locked(conn):
            token = self._load(conn)
            # Whoever had the lock before may have done it.
            if token.access_token is not None:
                if refused is None and self._lives(token.expires_at, SKEW):
                    return self._hold(token)
                if refused is not None and token.access_token != refused.access_token:
                    return self._hold(token)
            call = self._call(token)
            if call is None:
                return self._hold(self._unrenewable(conn, token, refused))
            try:
                new = self._asked(conn, token, call)
            except RenewalFailedError as error:
                if refused is None and token.access_token and self._lives(token.expires_at):
                    _log.warning("%s; the token still lives", error)
                    return self._hold(token)
                raise
            return self._stored(conn, token, new)

    def _call(self, token: Token) -> Call | None:
        try:
            return self._history.refresh(
                _credential(token), self._app, self._holder.external_id, self._clock()
            )
        except ValueError as error:
            message = self._clean(str(error), token)
        raise CredentialError(f"{self._named}: it cannot be renewed: {message}")

    def _unrenewable(self, conn: Connection, token: Token, refused: Credential | None) -> Token:
        """The token as it is, for as long as it lives."""
        if refused is not None:
            raise _CannotBeRenewed
        if token.access_token is not None and self._lives(token.expires_at):
            return token
        ended = f"ended at {token.expires_at:%Y-%m-%d %H:%M}Z" if token.expires_at else "is missing"
        reason = f"the token of {self._named} {ended} and cannot be renewed: {self._what_to_do}"
        self._mark(conn, token, reason)
        raise CredentialRefusedError(reason)

    def _asked(self, conn: Connection, token: Token, call: Call) -> Renewed:
        """What the provider gives. Raises CredentialError, RenewalFailedError."""
        problem, retry_after = "", None
        for attempt in range(_ATTEMPTS):
            if attempt:
                self._sleep(0.5 * 2**attempt)
            answer = self._send(call)
            verdict = self._history.verdict(call, answer, self._clock())
            retry_after = verdict.retry_after
            if verdict.outcome is Outcome.LIMITED:
                problem = f"too many requests (status {answer.status})"
                break
            if 200 <= answer.status < 300:
                try:
                    return self._history.refreshed(_credential(token), answer, self._clock())
                except ValueError:
                    problem = "an answer that is not in its format"
            elif 400 <= answer.status < 500 and answer.status not in _PASSING:
                self._raise_refusal(conn, token, answer)
            else:
                problem = f"status {answer.status}" if answer.status else "no answer"
        raise RenewalFailedError(
            f"{self._named}: renewing its token came to {problem}", retry_after
        )

    def _raise_refusal(self, conn: Connection, token: Token, answer: Answer) -> None:
        code = _oauth_code(answer)
        told = f"status {answer.status}{f', {code}' if code else ''}"
        if code in _OF_THE_APPLICATION:
            raise CredentialError(
                f"{self._named}: the application was refused ({told}): check the client id and secret "
                "in the settings; the credential stays as it is"
            )
        reason = f"{self._named}: renewing its token was refused ({told}): {self._what_to_do}"
        self._mark(conn, token, reason)
        raise CredentialRefusedError(reason)

    def _stored(self, conn: Connection, token: Token, new: Renewed) -> Credential:
        refresh = new.refresh_token or token.refresh_token
        with conn.transaction():
            tokens.store_renewed(
                conn,
                self._keys,
                self._holder.installation_id,
                access_token=new.access_token,
                refresh_token=refresh,
                expires_at=new.expires_at,
            )
            until = f", good until {new.expires_at:%Y-%m-%d %H:%M}Z" if new.expires_at else ""
            self._tell(conn, "renewed", token, f"the token of {self._named} was renewed{until}")
        return self._hold(
            Token(token.kind, new.access_token, refresh, new.expires_at, token.details, None)
        )

    def _mark(self, conn: Connection, token: Token, reason: str) -> None:
        reason = self._clean(reason, token)
        with conn.transaction():
            tokens.refuse(conn, self._holder.installation_id, reason)
            self._tell(conn, "refused", token, reason)
        self._held = None

    def _tell(self, conn: Connection, what: str, token: Token, message: str) -> None:
        activity.record(
            conn,
            f"credential.{what}",
            self._actor,
            message,
            org_id=self._holder.org_id,
            provider=self._holder.provider,
            subject=f"installation {self._holder.external_id}",
            detail={"kind": token.kind},
        )

    def _load(self, conn: Connection) -> Token:
        try:
            token = tokens.load_credential(conn, self._keys, self._holder.installation_id)
        except SealedError as error:
            raise CredentialError(f"{self._named}: {error}") from error
        if token is None:
            raise CredentialError(f"{self._named} has no credential: {self._what_to_do}")
        if token.refused is not None:
            raise CredentialRefusedError(token.refused)
        return token

    def _connected(self) -> AbstractContextManager[Connection]:
        return self._database.connect(autocommit=True, application_name="lightfast credential")

    @contextmanager
    def _locked(self, conn: Connection) -> Iterator[None]:
        held_by = self._holder.installation_id
        with credential_lock(conn, held_by, wait_seconds=_LOCK_SECONDS) as got:
            if not got:
                raise RenewalFailedError(
                    f"{self._named}: another process has been renewing its token for {_LOCK_SECONDS:.0f} s"
                )
            yield

    def _lives(self, expires_at: datetime | None, skew: timedelta = timedelta()) -> bool:
        return expires_at is None or self._clock() < expires_at - skew

    def _hold(self, token: Token) -> Credential:
        self._held, self._read_at = _credential(token), time.monotonic()
        return self._held

    @property
    def _named(self) -> str:
        return f"{self._holder.provider} installation {self._holder.external_id}"

    @property
    def _what_to_do(self) -> str:
        return (
            f"give a new one with `lightfast installation credential --provider "
            f"{self._holder.provider} --id {self._holder.external_id} --ask-credential`"
        )

    def _clean(self, text: str, token: Token) -> str:
        """A reason that others wrote, without the secrets that we know of."""
        known = (
            *(token.access_token, token.refresh_token),
            *(self._app.client_secret, self._app.private_key),
        )
        for secret in known:
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


def _oauth_code(answer: Answer) -> str | None:
    """The answer's `error` where it is one of OAuth's words; anything else might hold anything."""
    code = answer.data.get("error") if isinstance(answer.data, dict) else None
    return code if isinstance(code, str) and re.fullmatch(r"[a-z_]{1,40}", code) else None
