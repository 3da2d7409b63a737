"""Decides an organisation's actors from its identities and writes what changed.

The rule is in `domain/people.py`. Facts refer to identities, so merging two actors rewrites no fact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from lightfast_pipelines.domain.people.decide import decide
from lightfast_pipelines.domain.people.identities import Identity
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.staging import stage


@dataclass(frozen=True, slots=True)
class ActorReport:
    """Counts; `joined` identities share an actor, `changed` are the ids of identities whose actor
    changed."""

    identities: int = 0
    actors: int = 0
    bots: int = 0
    joined: int = 0
    changed: tuple[int, ...] = ()


def decide_actors(conn: Connection, org_id: str, *, now: datetime) -> ActorReport:
    """Writes the actors and the actor of each identity; the caller commits.

    Rows that do not change are not written; actors without an identity are removed.
    """
    rows = conn.execute(
        """
        SELECT id, actor_id, mapping_method, confidence,
               source, source_id, source_username, source_email, source_name, kind, email_verified,
               ARRAY(SELECT jsonb_array_elements_text(stated->'logins'))
        FROM lightfast.actor_identities WHERE org_id = %s ORDER BY id
        """,
        (org_id,),
    ).fetchall()
    numbers: dict[tuple[str, str], int] = {}
    before: dict[int, tuple[str | None, str | None, float | None]] = {}
    identities = []
    for number, actor, method, confidence, *fields in rows:
        *columns, logins = fields
        identity = replace(Identity(*columns), logins=tuple(logins))
        identities.append(identity)
        numbers[identity.source, identity.source_id] = number
        before[number] = (actor, method, confidence)
    actors = decide(org_id, identities).actors
    staged = stage(
        conn,
        "actors",
        ("id", "org_id", "display_name", "kind", "identity_count"),
        ((a.id, org_id, a.display_name, a.kind, len(a.members)) for a in actors),
    )
    conn.execute(
        f"""
        INSERT INTO lightfast.actors AS a (id, org_id, display_name, kind, identity_count)
        SELECT id, org_id, display_name, kind, identity_count FROM {staged} ORDER BY id
        ON CONFLICT (id) DO UPDATE SET display_name = excluded.display_name, kind = excluded.kind,
          identity_count = excluded.identity_count
        WHERE (a.display_name, a.kind, a.identity_count)
          IS DISTINCT FROM (excluded.display_name, excluded.kind, excluded.identity_count)
        """
    )
    changed = _write_memberships(
        conn,
        {
            numbers[member.identity.source, member.identity.source_id]: (
                actor.id,
                member.method,
                member.confidence,
            )
            for actor in actors
            for member in actor.members
        },
        before,
        now,
    )
    _mark_workspaces_due(conn, changed)
    conn.execute(
        """
        DELETE FROM lightfast.actors a WHERE a.org_id = %s
          AND NOT EXISTS (SELECT FROM lightfast.actor_identities i WHERE i.actor_id = a.id)
        """,
        (org_id,),
    )
    return ActorReport(
        identities=len(identities),
        actors=len(actors),
        bots=sum(actor.kind == "bot" for actor in actors),
        joined=sum(len(actor.members) for actor in actors if len(actor.members) > 1),
        changed=changed,
    )


def _write_memberships(
    conn: Connection,
    after: dict[int, tuple[str, str, float]],
    before: dict[int, tuple[str | None, str | None, float | None]],
    now: datetime,
) -> tuple[int, ...]:
    """Writes those that differ; returns the identities whose actor changed."""
    # `real` keeps 7 digits: 0.95 is read as 0.949999988.
    differing = [
        (number, *new)
        for number, new in sorted(after.items())
        if before[number][:2] != new[:2] or abs((before[number][2] or 0) - new[2]) > 1e-6
    ]
    if differing:
        conn.execute(
            """
            UPDATE lightfast.actor_identities i
            SET actor_id = n.actor_id, mapping_method = n.method, confidence = n.confidence,
                mapped_at = %s
            FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::real[])
              AS n (id, actor_id, method, confidence)
            WHERE i.id = n.id
            """,
            (now, *(list(column) for column in zip(*differing, strict=True))),
        )
    return tuple(number for number, actor, *_ in differing if before[number][0] != actor)


def _mark_workspaces_due(conn: Connection, identities: Sequence[int]) -> None:
    """Makes due the workspaces in which these identities were active, as clusters depend on actors.

    Otherwise a workspace's clusters would depend on whether another workspace, whose payloads join two
    people, was captured before or after it.
    """
    if identities:
        conn.execute(
            """
            UPDATE lightfast.consolidation_marks k SET changes = k.changes + 1
            WHERE EXISTS (
              SELECT FROM lightfast.observations o
              WHERE o.workspace_id = k.workspace_id
                AND (o.author_identity_id = ANY(%(ids)s) OR o.actor_identity_id = ANY(%(ids)s))
            )
            """,
            {"ids": list(identities)},
        )
