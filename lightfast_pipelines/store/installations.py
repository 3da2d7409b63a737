"""Installations and their own webhook secrets.

The receiver verifies with the secrets; capture decides whom a delivery reaches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.locks import hold_capture
from lightfast_pipelines.store.sealed import Keys

LIVE_SECRETS = 2
"""How many secrets of one installation verify at a time: the new one, and the old one while rotating."""

SECRETS_SQL = """
SELECT i.provider, i.external_id, s.installation_id, s.key_id, s.sealed
FROM lightfast.installation_secrets s
JOIN lightfast.installations i ON i.id = s.installation_id
ORDER BY s.installation_id, s.created_at DESC, s.id DESC
"""
"""Every live secret, each installation's newest first; the receiver's role may read no more than this."""


class InstallationError(ValueError):
    """An installation that cannot be added or found; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Installation:
    id: int
    provider: str
    external_id: str
    org_id: str
    account_login: str | None
    status: str
    status_reason: str | None
    secrets: int
    newest_secret_at: datetime | None
    key_ids: Sequence[str]


def add_installation(
    conn: Connection, provider: str, external_id: str, *, org_id: str, account: str | None = None
) -> tuple[Installation, bool]:
    """The installation, and whether it is new. Does not commit.

    Raises InstallationError if another organisation has it.
    """
    if not external_id or "/" in external_id:
        raise InstallationError("an installation's id is not empty and has no slash")
    hold_capture(conn)
    made = conn.execute(
        """
        INSERT INTO lightfast.installations (provider, external_id, org_id, account_login, connected_by)
        VALUES (%s, %s, %s, %s, 'operator') ON CONFLICT (provider, external_id) DO NOTHING RETURNING id
        """,
        (provider, external_id, org_id, account),
    ).fetchone()
    if made is not None:
        # What the provider said about it earlier is applied now.
        conn.execute(
            """
            INSERT INTO lightfast.raw_queue (raw_payload_id, partition_date)
            SELECT DISTINCT p.id, p.partition_date
            FROM lightfast.lifecycle_events l JOIN lightfast.raw_payloads p ON p.id = l.raw_payload_id
            WHERE l.provider = %s AND l.subject_kind = 'installation' AND l.subject_id = %s
            ON CONFLICT DO NOTHING
            """,
            (provider, external_id),
        )
    return the_installation(conn, provider, external_id, org_id), made is not None


_INSTALLATIONS = """
    SELECT i.id, i.provider, i.external_id, i.org_id, i.account_login, i.status, i.status_reason,
           count(s.id)::int, max(s.created_at), coalesce(array_agg(s.key_id ORDER BY s.id DESC)
             FILTER (WHERE s.id IS NOT NULL), '{}')
    FROM lightfast.installations i
    LEFT JOIN lightfast.installation_secrets s ON s.installation_id = i.id
"""


def list_installations(conn: Connection) -> list[Installation]:
    rows = conn.execute(f"{_INSTALLATIONS} GROUP BY i.id ORDER BY i.provider, i.external_id")
    return [Installation(*row) for row in rows]


def find_installation(conn: Connection, provider: str, external_id: str) -> Installation:
    """The installation with this id at the provider. Raises InstallationError."""
    row = conn.execute(
        f"{_INSTALLATIONS} WHERE i.provider = %s AND i.external_id = %s GROUP BY i.id",
        (provider, external_id),
    ).fetchone()
    if row is None:
        raise InstallationError(
            f"no {provider} installation {external_id!r}: add it with `lightfast installation add`"
        )
    return Installation(*row)


def installation_of(conn: Connection, provider: str, resource_id: str) -> Installation:
    """The installation that a linked resource belongs to. Raises InstallationError."""
    row = conn.execute(
        f"""{_INSTALLATIONS}
        WHERE i.id = (SELECT installation_id FROM lightfast.resources
                      WHERE provider = %s AND provider_resource_id = %s) GROUP BY i.id""",
        (provider, resource_id),
    ).fetchone()
    if row is None:
        raise InstallationError(f"{provider} resource {resource_id} is not linked")
    return Installation(*row)


def the_installation(
    conn: Connection, provider: str, external_id: str, org_id: str
) -> Installation:
    """The organisation's installation with this id. Raises InstallationError."""
    installation = find_installation(conn, provider, external_id)
    if installation.org_id != org_id:
        raise InstallationError(
            f"{provider} installation {external_id} belongs to another organisation"
        )
    return installation


def set_secret(conn: Connection, keys: Keys, installation: Installation, secret: bytes) -> int:
    """Seals the installation's new secret; the one before it stays live. Returns how many are live.

    Does not commit. Raises SealedError.
    """
    sealed = keys.seal(secret, identity(installation.id))
    # Locked, as two rotations at once would each keep the other's secret.
    conn.execute("SELECT FROM lightfast.installations WHERE id = %s FOR UPDATE", (installation.id,))
    conn.execute(
        """
        INSERT INTO lightfast.installation_secrets (installation_id, sealed, key_id, created_at)
        VALUES (%s, %s, %s, clock_timestamp())
        """,
        (installation.id, sealed.text, sealed.key_id),
    )
    # From here on the environment's secret does not speak for it; what came before stays valid.
    conn.execute(
        """
        UPDATE lightfast.installations
        SET own_secret_after = (SELECT coalesce(max(id), 0) FROM lightfast.raw_payloads)
        WHERE id = %s AND own_secret_after IS NULL
        """,
        (installation.id,),
    )
    return remove_secrets(conn, installation, keep=LIVE_SECRETS)


def remove_secrets(conn: Connection, installation: Installation, *, keep: int) -> int:
    """Removes all but the newest `keep`; returns how many are left. Does not commit."""
    conn.execute(
        """
        DELETE FROM lightfast.installation_secrets WHERE installation_id = %(id)s AND id NOT IN (
          SELECT id FROM lightfast.installation_secrets WHERE installation_id = %(id)s
          ORDER BY created_at DESC, id DESC LIMIT %(keep)s
        )
        """,
        {"id": installation.id, "keep": keep},
    )
    return find_installation(conn, installation.provider, installation.external_id).secrets


def identity(installation_id: int) -> bytes:
    """What a sealed secret is bound to: it does not open in another installation's row."""
    return b"lightfast.installation_secrets:%d" % installation_id
