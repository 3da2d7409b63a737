"""Installations' credentials for the providers' APIs: sealed, opened, marked as refused.

`provider_api/credentials.py` decides when one is renewed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.locks import hold_credential
from lightfast_pipelines.store.sealed import Keys, Sealed, SealedError

Column = Literal["access_token", "refresh_token"]


class UnsealedCredential(Protocol):
    """An unsealed credential; `api_contract.Credential` is one."""

    @property
    def kind(self) -> str: ...
    @property
    def access_token(self) -> str | None: ...
    @property
    def refresh_token(self) -> str | None: ...
    @property
    def expires_at(self) -> datetime | None: ...
    @property
    def details(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Token:
    """An unsealed row of `tokens`, which is never logged. `refused` is why the provider refuses it."""

    kind: str
    access_token: str | None = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_at: datetime | None
    details: Mapping[str, Any]
    refused: str | None
    renewed_ago: float | None = None
    """Seconds since it was renewed, by the database's clock; None: never."""


def set_credential(
    conn: Connection, keys: Keys, installation_id: int, given: UnsealedCredential
) -> None:
    """Seals a credential for the installation, in place of the one it has. Does not commit.

    Waits for a renewal that is under way, which would overwrite it. Raises SealedError.
    """
    access, refresh = _sealed(keys, installation_id, given.access_token, given.refresh_token)
    hold_credential(conn, installation_id)
    conn.execute(
        """
        INSERT INTO lightfast.tokens
          (installation_id, kind, access_token, refresh_token, key_id, expires_at, details)
        VALUES (%(id)s, %(kind)s, %(access)s, %(refresh)s, %(key)s, %(ends)s, %(details)s)
        ON CONFLICT (installation_id) DO UPDATE SET kind = excluded.kind,
          access_token = excluded.access_token, refresh_token = excluded.refresh_token,
          key_id = excluded.key_id, expires_at = excluded.expires_at, details = excluded.details,
          refreshed_at = NULL, updated_at = clock_timestamp()
        """,
        {
            "id": installation_id,
            "kind": given.kind,
            "access": access,
            "refresh": refresh,
            "key": keys.first_id,
            "ends": given.expires_at,
            "details": json.dumps(dict(given.details), sort_keys=True),
        },
    )
    accept(conn, installation_id)


def store_renewed(
    conn: Connection,
    keys: Keys,
    installation_id: int,
    *,
    access_token: str,
    refresh_token: str | None,
    expires_at: datetime | None,
) -> None:
    """Seals the tokens of a renewal under the first key. The caller holds `credential_lock`.

    Does not commit. Raises SealedError.
    """
    access, refresh = _sealed(keys, installation_id, access_token, refresh_token)
    conn.execute(
        """
        UPDATE lightfast.tokens SET access_token = %s, refresh_token = %s, key_id = %s,
          expires_at = %s, refreshed_at = clock_timestamp(), updated_at = clock_timestamp()
        WHERE installation_id = %s
        """,
        (access, refresh, keys.first_id, expires_at, installation_id),
    )


def load_credential(conn: Connection, keys: Keys, installation_id: int) -> Token | None:
    """The unsealed credential, or None if the installation has none. Raises SealedError."""
    row = conn.execute(
        """
        SELECT kind, access_token, refresh_token, key_id, expires_at, details, status, status_reason,
               extract(epoch FROM clock_timestamp() - refreshed_at)::float8
        FROM lightfast.tokens WHERE installation_id = %s
        """,
        (installation_id,),
    ).fetchone()
    if row is None:
        return None
    kind, access, refresh, key_id, expires_at, details, status, reason, ago = row
    return Token(
        kind=kind,
        access_token=opened(keys, key_id, access, installation_id, "access_token"),
        refresh_token=opened(keys, key_id, refresh, installation_id, "refresh_token"),
        expires_at=expires_at,
        details=details,
        refused=(reason or "refused by the provider") if status == "refused" else None,
        renewed_ago=ago,
    )


def remove_credential(conn: Connection, installation_id: int) -> bool:
    """Deletes the installation's credential; returns whether it had one. Does not commit."""
    hold_credential(conn, installation_id)
    accept(conn, installation_id)
    deleted = conn.execute(
        "DELETE FROM lightfast.tokens WHERE installation_id = %s", (installation_id,)
    )
    return deleted.rowcount > 0


def refuse(conn: Connection, installation_id: int, reason: str) -> None:
    """Marks the credential as refused: nothing is asked with it until another is given.

    The installation and its integrations show why. Does not commit.
    """
    conn.execute(
        """
        UPDATE lightfast.tokens SET status = 'refused', status_reason = %s, updated_at = clock_timestamp()
        WHERE installation_id = %s
        """,
        (reason, installation_id),
    )
    # A suspended or revoked installation keeps that status, which is the deeper reason.
    conn.execute(
        """
        UPDATE lightfast.installations SET status = 'error', status_reason = %s, updated_at = now()
        WHERE id = %s AND status = 'active'
        """,
        (reason, installation_id),
    )
    conn.execute(
        """
        UPDATE lightfast.integrations i SET sync_status = 'refused', sync_error = %s
        FROM lightfast.resources r WHERE r.id = i.resource_id AND r.installation_id = %s
        """,
        (reason, installation_id),
    )


def accept(conn: Connection, installation_id: int) -> None:
    """Undoes `refuse`, as another credential was given. Does not commit."""
    # Only what the refusal itself set: a suspended installation stays suspended.
    conn.execute(
        """
        UPDATE lightfast.installations n SET status = 'active', status_reason = NULL, updated_at = now()
        WHERE n.id = %(id)s AND n.status = 'error' AND EXISTS (
          SELECT FROM lightfast.integrations i JOIN lightfast.resources r ON r.id = i.resource_id
          WHERE r.installation_id = n.id AND i.sync_status = 'refused'
            AND i.sync_error = n.status_reason
          UNION ALL
          SELECT FROM lightfast.tokens t
          WHERE t.installation_id = n.id AND t.status_reason = n.status_reason)
        """,
        {"id": installation_id},
    )
    conn.execute(
        """
        UPDATE lightfast.tokens SET status = 'active', status_reason = NULL
        WHERE installation_id = %s AND status <> 'active'
        """,
        (installation_id,),
    )
    conn.execute(
        """
        UPDATE lightfast.integrations i SET sync_status = 'idle', sync_error = NULL
        FROM lightfast.resources r
        WHERE r.id = i.resource_id AND r.installation_id = %s AND i.sync_status = 'refused'
        """,
        (installation_id,),
    )


def identity(installation_id: int, column: Column) -> bytes:
    """What a sealed token is bound to: it does not open in another row or column."""
    return f"lightfast.tokens:{installation_id}:{column}".encode()


def opened(
    keys: Keys, key_id: str, text: str | None, installation_id: int, column: Column
) -> str | None:
    """The text of a sealed token. Raises SealedError that names the installation."""
    if text is None:
        return None
    try:
        return keys.open(Sealed(key_id, text), identity(installation_id, column)).decode()
    except SealedError as error:
        raise SealedError(f"{column} of installation {installation_id}: {error}") from error


def sealed(keys: Keys, installation_id: int, column: Column, token: str | None) -> str | None:
    """The token sealed under the first key. Raises SealedError."""
    if token is None:
        return None
    return keys.seal(token.encode(), identity(installation_id, column)).text


def _sealed(
    keys: Keys, installation_id: int, access: str | None, refresh: str | None
) -> tuple[str | None, str | None]:
    return (
        sealed(keys, installation_id, "access_token", access),
        sealed(keys, installation_id, "refresh_token", refresh),
    )
