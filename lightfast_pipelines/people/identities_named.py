"""Finds identities by what a person calls them: a key, a login, an address or a name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

from lightfast_pipelines.store.database import Connection

COLUMNS: LiteralString = """
{identity}.source || ':' || {identity}.source_id, {identity}.source_username,
{identity}.source_email, {identity}.source_name, {identity}.email_verified, {identity}.actor_id,
{actor}.display_name, {actor}.kind, {identity}.mapping_method, {identity}.confidence,
{identity}.joined_to, {identity}.mapping_evidence
"""
"""The columns of a KnownIdentity, of tables with these aliases."""


@dataclass(frozen=True, slots=True)
class KnownIdentity:
    """An identity with its actor, as a person needs it to recognise somebody."""

    key: str
    login: str | None
    email: str | None
    name: str | None
    email_verified: bool
    actor_id: str | None
    actor_name: str | None
    actor_kind: str | None
    method: str | None
    confidence: float | None
    joined_to: str | None
    evidence: list[dict[str, Any]]


# How well each way of naming an identity fits; only the best ones count. A key names one identity, while
# several may have a login, an address or a name.
_NAMED: LiteralString = f"""
SELECT {COLUMNS.format(identity="i", actor="a")}, CASE
  WHEN i.source || ':' || i.source_id = %(words)s OR i.actor_id = %(words)s THEN 0
  WHEN i.source_id = %(words)s THEN 1
  WHEN lower(i.source_username) = lower(ltrim(%(words)s, '@'))
    OR lower(i.source_email) = lower(%(words)s) THEN 2
  WHEN lower(i.source_name) = lower(%(words)s) THEN 3
  WHEN lower(a.display_name) = lower(%(words)s) THEN 4
  WHEN %(partly)s AND position(lower(%(words)s) IN lower(a.display_name)) > 0 THEN 5
END AS fit
FROM lightfast.actor_identities i LEFT JOIN lightfast.actors a ON a.id = i.actor_id
WHERE i.org_id = %(org)s
"""


def identities_named(
    conn: Connection, org_id: str, words: str, *, partly: bool = False
) -> list[KnownIdentity]:
    """The identities that fit these words best, by key; none if nobody is called that.

    `partly`: a part of an actor's name is enough if nothing fits better.
    """
    rows = conn.execute(
        f"""
        WITH named AS ({_NAMED})
        SELECT * FROM named WHERE fit = (SELECT min(fit) FROM named) ORDER BY 1
        """,
        {"org": org_id, "words": words.strip(), "partly": partly},
    ).fetchall()
    return [KnownIdentity(*row[:-1]) for row in rows]


def identities_of_actors(
    conn: Connection, org_id: str, actors: Sequence[str]
) -> list[KnownIdentity]:
    """All identities of these actors, by actor and key."""
    rows = conn.execute(
        f"""
        SELECT {COLUMNS.format(identity="i", actor="a")}
        FROM lightfast.actor_identities i LEFT JOIN lightfast.actors a ON a.id = i.actor_id
        WHERE i.org_id = %s AND i.actor_id = ANY(%s) ORDER BY a.display_name, i.actor_id, 1
        """,
        (org_id, list(actors)),
    ).fetchall()
    return [KnownIdentity(*row) for row in rows]
