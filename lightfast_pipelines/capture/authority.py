"""Decides which installations a payload speaks for, and so which rows it may change, by its secret.

Routing, lifecycle events and the names of places follow this one rule.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from lightfast_pipelines.capture.raw_payloads import RawPayload
from lightfast_pipelines.store.database import Connection

ARRIVED_BEFORE_OWN = """
    CASE WHEN EXISTS (SELECT FROM lightfast.installation_secrets own WHERE own.installation_id = n.id)
         THEN coalesce(n.own_secret_after, 0) END
"""
"""SQL for `Owner.own_secret_after` of the installation `n`."""

_INSTALLATION = "installation:"


@dataclass(frozen=True, slots=True)
class Owner:
    """The installation that a row belongs to.

    `own_secret_after` is the id of the last payload that arrived before the installation had a secret
    of its own: the environment's secret speaks for payloads up to it. None: it has no own secret.
    """

    installation_id: int
    org_id: str
    own_secret_after: int | None


class Verified(NamedTuple):
    """The origin of a payload whose body is not read."""

    id: int
    org_id: str | None
    verified_by: str


def is_shared(verified_by: str) -> bool:
    """Whether the environment's secret verified it: organisations without a secret of their own share
    that."""
    return verified_by.startswith("env:")


def speaks_for(raw: RawPayload | Verified, owner: Owner, named: str | None = None) -> bool:
    """Whether the payload may change what belongs to the installation.

    `named` is the organisation whose installation the payload names as its own, if that is known.

    - A payload that was read or ingested for an organisation speaks for all of its installations.
    - An installation's own secret speaks only for that installation.
    - The environment's secret speaks for every installation without a secret of its own, unless the
      payload names an installation of another organisation: a repository that moved to another account
      belongs to that account, though its id is still linked here.
    - Anything else speaks for no installation.
    """
    if raw.org_id is not None:
        return raw.org_id == owner.org_id
    if raw.verified_by.startswith(_INSTALLATION):
        return raw.verified_by == f"{_INSTALLATION}{owner.installation_id}"
    if is_shared(raw.verified_by):
        if named is not None and named != owner.org_id:
            return False
        return owner.own_secret_after is None or raw.id <= owner.own_secret_after
    return False


def organisations_of(conn: Connection, raws: Iterable[RawPayload]) -> dict[str, str]:
    """`verified_by` -> organisation, for the payloads that an installation's own secret verified."""
    ids = {
        int(number)
        for raw in raws
        if raw.verified_by.startswith(_INSTALLATION)
        and (number := raw.verified_by.removeprefix(_INSTALLATION)).isdecimal()
    }
    if not ids:
        return {}
    rows = conn.execute(
        "SELECT 'installation:' || id, org_id FROM lightfast.installations WHERE id = ANY(%s)",
        (sorted(ids),),
    )
    return dict(rows.fetchall())


def organisations_named(
    conn: Connection, installations: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], str]:
    """Installation (provider, the provider's id) -> organisation, for known installations."""
    wanted = sorted(set(installations))
    if not wanted:
        return {}
    rows = conn.execute(
        """
        SELECT n.provider, n.external_id, n.org_id
        FROM unnest(%s::text[], %s::text[]) AS k (provider, external_id)
        JOIN lightfast.installations n USING (provider, external_id)
        """,
        [list(column) for column in zip(*wanted, strict=True)],
    )
    return {(provider, identifier): org for provider, identifier, org in rows}


def with_secrets(conn: Connection) -> set[tuple[str, str]]:
    """The (provider, organisation) pairs that have an installation with a secret of its own."""
    rows = conn.execute(
        """
        SELECT DISTINCT n.provider, n.org_id FROM lightfast.installations n
        JOIN lightfast.installation_secrets s ON s.installation_id = n.id
        """
    )
    return {(provider, org) for provider, org in rows}
