"""Credentials that an operator gives to an installation or removes from it, recorded as activity."""

from __future__ import annotations

from lightfast_pipelines.providers.api_contract import Credential
from lightfast_pipelines.store import activity, tokens
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.installations import Installation
from lightfast_pipelines.store.sealed import Keys


def give_credential(
    conn: Connection, keys: Keys, installation: Installation, credential: Credential, actor: str
) -> None:
    """Seals the credential for the installation, in place of the present one. Does not commit."""
    tokens.set_credential(conn, keys, installation.id, credential)
    ends = f", good until {credential.expires_at:%Y-%m-%d %H:%M}Z" if credential.expires_at else ""
    activity.record(
        conn,
        "credential.given",
        actor,
        f"a credential ({credential.kind}) was given to {installation.provider} installation "
        f"{installation.external_id}{ends}",
        org_id=installation.org_id,
        provider=installation.provider,
        subject=f"installation {installation.external_id}",
        detail={"kind": credential.kind, "renewable": credential.refresh_token is not None},
    )


def remove_credential(conn: Connection, installation: Installation, actor: str) -> bool:
    """Returns False if the installation has none. Does not commit."""
    if not tokens.remove_credential(conn, installation.id):
        return False
    activity.record(
        conn,
        "credential.removed",
        actor,
        f"the credential of {installation.provider} installation {installation.external_id} was removed",
        org_id=installation.org_id,
        provider=installation.provider,
        subject=f"installation {installation.external_id}",
    )
    return True
