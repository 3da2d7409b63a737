"""Decides an organisation's actors from its identities and writes what changed.

The rule is in `domain/people/`. Facts refer to identities, so merging two actors rewrites no fact.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec

from lightfast_pipelines.domain.people.decide import decide
from lightfast_pipelines.domain.people.identities import Actor, Identity
from lightfast_pipelines.people.commit_names import commit_authors, name_after_authors
from lightfast_pipelines.people.decisions import valid_decisions
from lightfast_pipelines.people.review_list import write_review_list
from lightfast_pipelines.store.consolidation_marks import mark_changed
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.staging import stage


@dataclass(frozen=True, slots=True)
class ActorReport:
    """Counts; `joined` identities share an actor, `changed` are the ids of identities whose actor
    changed, `doubtful` pairs are on the review list, `decisions` of people are valid."""

    identities: int = 0
    actors: int = 0
    bots: int = 0
    joined: int = 0
    doubtful: int = 0
    decisions: int = 0
    changed: tuple[int, ...] = ()


def decide_actors(conn: Connection, org_id: str, *, now: datetime) -> ActorReport:
    """Writes the actors, the actor of each identity and the doubtful pairs; the caller commits.

    Rows that do not change are not written; actors without an identity are removed.
    """
    named = commit_authors(conn, org_id)
    numbers: dict[str, int] = {}
    before: dict[str, str | None] = {}
    identities = []
    for identity, number, actor in _read_identities(conn, org_id):
        numbers[identity.key], before[identity.key] = number, actor
        # Of several names that commits give to an account, none is evidence of who it is.
        several = identity.key in named and named[identity.key].names > 1
        identities.append(replace(identity, name=None) if several else identity)
    decisions = valid_decisions(conn, org_id)
    decided = decide(org_id, identities, decisions)
    _write_actors(conn, org_id, name_after_authors(decided.actors, named))
    _write_memberships(conn, decided.actors, numbers, now)
    write_review_list(conn, org_id, decided.doubtful, numbers)
    changed = [
        numbers[member.identity.key]
        for actor in decided.actors
        for member in actor.members
        if before[member.identity.key] != actor.id
    ]
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
        actors=len(decided.actors),
        bots=sum(actor.kind == "bot" for actor in decided.actors),
        joined=sum(len(actor.members) for actor in decided.actors if len(actor.members) > 1),
        doubtful=len(decided.doubtful),
        decisions=len(decisions),
        changed=tuple(sorted(changed)),
    )


def _read_identities(conn: Connection, org_id: str) -> Iterator[tuple[Identity, int, str | None]]:
    """(identity, its id, its actor until now) of each."""
    rows = conn.execute(
        """
        SELECT id, actor_id, ARRAY(SELECT jsonb_array_elements_text(stated->'logins')),
               source, source_id, source_username, source_email, source_name, kind, email_verified
        FROM lightfast.actor_identities WHERE org_id = %s ORDER BY id
        """,
        (org_id,),
    ).fetchall()
    for number, actor, logins, *columns in rows:
        yield Identity(*(*columns, tuple(logins))), number, actor


def _write_actors(conn: Connection, org_id: str, actors: Sequence[Actor]) -> None:
    """Writes those that are new or differ."""
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


def _write_memberships(
    conn: Connection, actors: Sequence[Actor], numbers: Mapping[str, int], now: datetime
) -> None:
    """Writes the actor of each identity and why it belongs there, where that differs."""
    staged = stage(
        conn,
        "actor_identities",
        ("id", "actor_id", "mapping_method", "confidence", "joined_to", "mapping_evidence"),
        (
            (
                numbers[member.identity.key],
                actor.id,
                member.method,
                member.confidence,
                member.joined_to,
                msgspec.json.encode(member.evidence).decode(),
            )
            for actor in actors
            for member in actor.members
        ),
    )
    # Locked in the order in which capture writes them, so that neither waits for the other for ever.
    conn.execute(
        f"""
        WITH differing AS MATERIALIZED (
          SELECT i.id FROM lightfast.actor_identities i JOIN {staged} n ON n.id = i.id
          WHERE (i.actor_id, i.mapping_method, i.confidence, i.joined_to, i.mapping_evidence)
            IS DISTINCT FROM
              (n.actor_id, n.mapping_method, n.confidence, n.joined_to, n.mapping_evidence)
          ORDER BY i.id FOR UPDATE OF i
        )
        UPDATE lightfast.actor_identities i
        SET actor_id = n.actor_id, mapping_method = n.mapping_method, confidence = n.confidence,
            joined_to = n.joined_to, mapping_evidence = n.mapping_evidence, mapped_at = %s
        FROM {staged} n JOIN differing ON differing.id = n.id
        WHERE i.id = n.id
        """,
        (now,),
    )


def _mark_workspaces_due(conn: Connection, identities: Sequence[int]) -> None:
    """Makes due the workspaces in which these identities were active, as clusters depend on actors.

    Otherwise a workspace's clusters would depend on whether another workspace, whose payloads join two
    people, was captured before or after it.
    """
    if identities:
        active = conn.execute(
            """
            SELECT k.workspace_id FROM lightfast.consolidation_marks k
            WHERE EXISTS (
              SELECT FROM lightfast.observations o
              WHERE o.workspace_id = k.workspace_id
                AND (o.author_identity_id = ANY(%(ids)s) OR o.actor_identity_id = ANY(%(ids)s))
            )
            """,
            {"ids": list(identities)},
        )
        mark_changed(conn, [workspace for (workspace,) in active])
