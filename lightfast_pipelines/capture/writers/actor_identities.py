"""Writes identities and who took part in what; an identity's names and addresses are those stated last.

`people/` decides from these rows which identities belong to one actor.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from lightfast_pipelines.capture.facts import Fact
from lightfast_pipelines.capture.writers.rows import (
    columns_of,
    differences,
    insert_rows,
    next_ids,
    write_differences,
)
from lightfast_pipelines.domain.events import Account
from lightfast_pipelines.store.database import Connection

IdentityKey = tuple[str, str, str]
_FIELDS = ("username", "email", "name", "avatar_url", "kind")
_ALWAYS = 2**62
_KEY = ("org_id", "source", "source_id")
_STATED = (
    "source_username",
    "source_email",
    "source_name",
    "avatar_url",
    "kind",
    "email_verified",
    "stated",
)
_MENTION_KEY = {"observation_id": "bigint", "identity_id": "bigint", "role": "text"}


class IdentityMention(NamedTuple):
    """What an observation states about an identity; the key is (observation, identity, role)."""

    username: str | None
    email: str | None
    name: str | None
    avatar_url: str | None
    kind: str
    email_verified: bool


IdentityMentionKey = tuple[int, int, str]
_Dated = tuple[datetime, str, Account]
"""Time, source_id, account."""


def accounts_of(fact: Fact) -> list[tuple[str, Account]]:
    """(role, account) of everyone who takes part: the actor, the author and the others."""
    statement = fact.statement
    accounts = [("actor", statement.actor), ("author", statement.author)]
    accounts += [(mention.role, mention.account) for mention in statement.accounts]
    return [(role, account) for role, account in accounts if account is not None]


@dataclass(frozen=True, slots=True)
class EnsuredIdentities:
    """The ids of identities, and those (ids) that were created now, with all that is stated about them."""

    ids: Mapping[IdentityKey, int]
    created: Set[int]


def ensure_identities(conn: Connection, facts: Sequence[Fact]) -> EnsuredIdentities:
    """Creates the identities that are new; finds the id of each that the facts name."""
    mentions: dict[IdentityKey, dict[tuple[str, str], _Dated]] = defaultdict(dict)
    for fact in facts:
        when = (fact.statement.occurred_at, fact.statement.source_id)
        for role, account in accounts_of(fact):
            key = (fact.workspace.org_id, account.source, account.source_id)
            mentions[key].setdefault((fact.external_id, role), (*when, account))
    if not mentions:
        return EnsuredIdentities({}, frozenset())
    keys = sorted(mentions)
    ids = {
        (row[0], row[1], row[2]): row[3]
        for row in conn.execute(
            """
            SELECT i.org_id, i.source, i.source_id, i.id
            FROM unnest(%s::text[], %s::text[], %s::text[]) AS k (org_id, source, source_id)
            JOIN lightfast.actor_identities i USING (org_id, source, source_id)
            """,
            columns_of(keys),
        )
    }
    new = [key for key in keys if key not in ids]
    created = dict(zip(new, next_ids(conn, "actor_identities", len(new)), strict=True))
    # The batch holds the capture lock, so nobody else creates the same ones.
    insert_rows(
        conn,
        "actor_identities",
        (*_KEY, "id", *_STATED),
        [
            (*key, identifier, *_columns(_add_to({}, map(_dated_mention, mentions[key].values()))))
            for key, identifier in created.items()
        ],
    )
    return EnsuredIdentities(ids | created, frozenset(created.values()))


def _dated_mention(dated: _Dated) -> tuple[datetime, str, IdentityMention]:
    occurred_at, source_id, account = dated
    return occurred_at, source_id, _mention(account)


def load_mentioned(conn: Connection, observations: Iterable[int]) -> list[int]:
    """The identities that these observations mention, as they are stored."""
    wanted = list(observations)
    if not wanted:
        return []
    rows = conn.execute(
        "SELECT DISTINCT identity_id FROM lightfast.identity_mentions WHERE observation_id = ANY(%s)",
        (wanted,),
    )
    return [row[0] for row in rows]


def hold_identities(conn: Connection, identities: Iterable[int]) -> None:
    """Locks these identities in the order in which `people/` locks them, before any of them changes."""
    conn.execute(
        """
        SELECT FROM lightfast.actor_identities WHERE id = ANY(%s) ORDER BY id FOR UPDATE
        """,
        (list(identities),),
    )


def write_identity_mentions(
    conn: Connection,
    facts: Iterable[tuple[int, Fact]],
    identities: EnsuredIdentities,
    earlier_ids: Sequence[int],
    moved: Set[int],
) -> int:
    """Writes who took part in the facts (observation id, fact); returns the number of rows written.

    `earlier_ids` are the observations that had rows before.
    """
    new: dict[IdentityMentionKey, IdentityMention] = {}
    when: dict[int, tuple[datetime, str]] = {}
    for observation, fact in facts:
        when[observation] = (fact.statement.occurred_at, fact.statement.source_id)
        for role, account in accounts_of(fact):
            key = (fact.workspace.org_id, account.source, account.source_id)
            identity = identities.ids[key]
            new.setdefault((observation, identity, role), _mention(account))
    changed = differences(_load(conn, earlier_ids), new, moved)
    write_differences(conn, "identity_mentions", _MENTION_KEY, IdentityMention._fields, changed)
    earlier = set(earlier_ids)
    recomputed = {key[1] for key in changed.removed}
    recomputed |= {key[1] for key in changed.added if key[0] in earlier}
    added = [
        (identity, *when[observation], row)
        for (observation, identity, _), row in changed.added.items()
        if identity not in recomputed and identity not in identities.created
    ]
    _update(conn, added, start_over=False)
    _update(conn, _load_all_of(conn, recomputed), start_over=True)
    return len(changed.added)


def _mention(account: Account) -> IdentityMention:
    email = account.email.strip().lower() if account.email and account.email.strip() else None
    return IdentityMention(
        account.username or None,
        email,
        account.name or None,
        account.avatar_url or None,
        account.kind,
        account.email_verified,
    )


def _load(
    conn: Connection, observations: Sequence[int]
) -> dict[IdentityMentionKey, IdentityMention]:
    if not observations:
        return {}
    rows = conn.execute(
        """
        SELECT observation_id, identity_id, role, username, email, name, avatar_url, kind, email_verified
        FROM lightfast.identity_mentions WHERE observation_id = ANY(%s)
        """,
        (list(observations),),
    )
    return {(row[0], row[1], row[2]): IdentityMention(*row[3:]) for row in rows}


_DatedMention = tuple[int, datetime, str, IdentityMention]
"""Identity, time, source_id, mention."""


def _load_all_of(conn: Connection, identities: Iterable[int]) -> list[_DatedMention]:
    wanted = list(identities)
    if not wanted:
        return []
    rows = conn.execute(
        """
        SELECT m.identity_id, o.occurred_at, o.source_id,
               m.username, m.email, m.name, m.avatar_url, m.kind, m.email_verified
        FROM lightfast.identity_mentions m JOIN lightfast.observations o ON o.id = m.observation_id
        WHERE m.identity_id = ANY(%s)
        """,
        (wanted,),
    )
    return [(row[0], row[1], row[2], IdentityMention(*row[3:])) for row in rows]


def _update(conn: Connection, mentions: Sequence[_DatedMention], *, start_over: bool) -> None:
    """Sets each field to what was stated at the greatest (time, source_id); ties: the greatest value."""
    if not mentions:
        return
    stated: dict[int, dict[str, Any]] = {}
    if not start_over:
        rows = conn.execute(
            "SELECT id, stated FROM lightfast.actor_identities WHERE id = ANY(%s)",
            (list({mention[0] for mention in mentions}),),
        )
        stated = {identity: dict(fields) for identity, fields in rows}
    by_identity: dict[int, list[tuple[datetime, str, IdentityMention]]] = defaultdict(list)
    for identity, occurred_at, source_id, mention in mentions:
        by_identity[identity].append((occurred_at, source_id, mention))
    updated: list[tuple[object, ...]] = []
    changed: list[int] = []
    for identity, dated in sorted(by_identity.items()):
        before = stated.get(identity, {})
        fields = _add_to(dict(before), dated)
        if start_over or fields != before:
            changed.append(identity)
            updated.append((identity, *_columns(fields)))
    if not updated:
        return
    hold_identities(conn, changed)
    conn.execute(
        """
        UPDATE lightfast.actor_identities i SET
          source_username = k.username, source_email = k.email, source_name = k.name,
          avatar_url = k.avatar_url, kind = k.kind, email_verified = k.email_verified, stated = k.stated
        FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
                    %s::boolean[], %s::jsonb[])
          AS k (id, username, email, name, avatar_url, kind, email_verified, stated)
        WHERE i.id = k.id
          AND (i.stated IS DISTINCT FROM k.stated)
        """,
        columns_of(updated),
    )


def _add_to(
    fields: dict[str, Any], mentions: Iterable[tuple[datetime, str, IdentityMention]]
) -> dict[str, Any]:
    """Adds what these mentions (time, source_id, mention) state to what is stated of one identity."""
    for occurred_at, source_id, mention in mentions:
        if mention.username is not None and "username" in fields:
            logins = {*fields.get("logins", ()), fields["username"][2], mention.username}
            if len(logins) > 1:
                fields["logins"] = sorted(logins)
        moment = int(occurred_at.astimezone(UTC).timestamp() * 1_000_000)
        for field in _FIELDS:
            value = getattr(mention, field)
            if value is None or value == "unknown":
                continue
            # Once a provider has said that it is a bot, a payload that omits this changes nothing.
            is_bot = field == "kind" and value == "bot"
            candidate = [_ALWAYS if is_bot else moment, source_id, value]
            if field not in fields or candidate > list(fields[field]):
                fields[field] = candidate
        if mention.email_verified:
            fields["email_verified"] = True
    return fields


def _columns(fields: Mapping[str, Any]) -> tuple[object, ...]:
    """What is stated of an identity, in the order of `_STATED`."""
    return (
        *(fields[field][2] if field in fields else None for field in _FIELDS[:4]),
        fields["kind"][2] if "kind" in fields else "unknown",
        bool(fields.get("email_verified")),
        msgspec.json.encode(fields).decode(),
    )


def remove_unmentioned(conn: Connection, identities: Iterable[int]) -> None:
    """Deletes identities that no observation mentions any more."""
    wanted = sorted(set(identities))
    if wanted:
        conn.execute(
            """
            DELETE FROM lightfast.actor_identities i WHERE i.id = ANY(%s)
              AND NOT EXISTS (SELECT FROM lightfast.identity_mentions m WHERE m.identity_id = i.id)
            """,
            (wanted,),
        )
