"""For whom a payload speaks: what verified it decides which installation's rows it may change.

One rule for routing, lifecycle and names of places; what they do with the answer is theirs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

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

    `own_secret_after`: the shared secret of the environment speaks only for payloads that arrived
    before the installation had a secret of its own, those with no greater id; None: it has none.
    """

    installation_id: int
    org_id: str
    own_secret_after: int | None


class Signed(Protocol):
    """What is known of a payload's origin: a row of raw_payloads."""

    @property
    def id(self) -> int: ...
    @property
    def org_id(self) -> str | None: ...
    @property
    def verified_by(self) -> str: ...


class Verified(NamedTuple):
    """The origin alone, of a payload that is not read."""

    id: int
    org_id: str | None
    verified_by: str


def is_shared(verified_by: str) -> bool:
    """Whether the environment's secret verified it, which every organisation without its own shares."""
    return verified_by.startswith("env:")


def speaks_for(raw: Signed, owner: Owner, named: str | None = None) -> bool:
    """Whether the payload may change what belongs to the installation.

    `named`: the organisation whose installation the payload names as its own, where that is known.

    What was read or ingested for an organisation speaks for all that this organisation has, an
    installation's own secret for that installation alone, the environment's for every installation
    that has none of its own, unless the payload names an installation of another organisation: a
    repository that moved to another account is that account's, though its id is still linked here.
    Whatever else is said to have verified it speaks for nobody.
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


def organisations_of(conn: Connection, raws: Iterable[Signed]) -> dict[str, str]:
    """Of the installations whose own secrets verified these: `verified_by` -> organisation."""
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
    """Of these installations (provider, the provider's id), those that are known: organisation."""
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
    """(provider, organisation) of which some installation has a secret of its own."""
    rows = conn.execute(
        """
        SELECT DISTINCT n.provider, n.org_id FROM lightfast.installations n
        JOIN lightfast.installation_secrets s ON s.installation_id = n.id
        """
    )
    return {(provider, org) for provider, org in rows}
