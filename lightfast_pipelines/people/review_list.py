"""The review list: pairs of identities that may be one person. Written by consolidation, read by commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from lightfast_pipelines.domain.people.identities import DoubtfulPair
from lightfast_pipelines.people.decisions import pair_of
from lightfast_pipelines.people.identities_named import COLUMNS, KnownIdentity
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.staging import stage


@dataclass(frozen=True, slots=True)
class ReviewedPair:
    """A doubtful pair as a person sees it; `evidence` as in doubtful_identities.evidence."""

    id: str
    left: KnownIdentity
    right: KnownIdentity
    confidence: float
    evidence: list[dict[str, Any]]


def write_review_list(
    conn: Connection,
    org_id: str,
    doubtful: Sequence[DoubtfulPair],
    numbers: Mapping[str, int],
) -> None:
    """Makes the organisation's list these pairs; only rows that differ are written.

    `numbers` are the ids of identities by key.
    """
    staged = stage(
        conn,
        "doubtful_identities",
        ("id", "org_id", "left_identity_id", "right_identity_id", "confidence", "evidence"),
        (
            (
                pair_of(org_id, pair.left.key, pair.right.key).id,
                org_id,
                numbers[pair.left.key],
                numbers[pair.right.key],
                pair.confidence,
                msgspec.json.encode(pair.evidence).decode(),
            )
            for pair in doubtful
        ),
    )
    conn.execute(
        f"""
        DELETE FROM lightfast.doubtful_identities d
        WHERE d.org_id = %s AND NOT EXISTS (SELECT FROM {staged} n WHERE n.id = d.id)
        """,
        (org_id,),
    )
    conn.execute(
        f"""
        INSERT INTO lightfast.doubtful_identities AS d
          (id, org_id, left_identity_id, right_identity_id, confidence, evidence)
        SELECT id, org_id, left_identity_id, right_identity_id, confidence, evidence
        FROM {staged} ORDER BY id
        ON CONFLICT (id) DO UPDATE
          SET left_identity_id = excluded.left_identity_id,
              right_identity_id = excluded.right_identity_id,
              confidence = excluded.confidence, evidence = excluded.evidence
        WHERE (d.left_identity_id, d.right_identity_id, d.confidence, d.evidence)
          IS DISTINCT FROM (excluded.left_identity_id, excluded.right_identity_id,
                            excluded.confidence, excluded.evidence)
        """
    )


def read_review_list(
    conn: Connection, org_id: str, *, limit: int | None = None, actors: Sequence[str] | None = None
) -> list[ReviewedPair]:
    """The doubtful pairs of an organisation, or of some of its actors, the most certain first."""
    left, right = (COLUMNS.format(identity=side, actor=f"{side}_actor") for side in ("l", "r"))
    rows = conn.execute(
        f"""
        SELECT d.id, d.confidence, d.evidence, {left}, {right}
        FROM lightfast.doubtful_identities d
        JOIN lightfast.actor_identities l ON l.id = d.left_identity_id
        JOIN lightfast.actor_identities r ON r.id = d.right_identity_id
        LEFT JOIN lightfast.actors l_actor ON l_actor.id = l.actor_id
        LEFT JOIN lightfast.actors r_actor ON r_actor.id = r.actor_id
        WHERE d.org_id = %(org)s
          AND (%(actors)s::text[] IS NULL
               OR l.actor_id = ANY(%(actors)s) OR r.actor_id = ANY(%(actors)s))
        ORDER BY d.confidence DESC, d.id LIMIT %(limit)s
        """,
        {"org": org_id, "limit": limit, "actors": None if actors is None else list(actors)},
    ).fetchall()
    width = (len(rows[0]) - 3) // 2 if rows else 0
    return [
        ReviewedPair(
            identifier, KnownIdentity(*sides[:width]), KnownIdentity(*sides[width:]), sure, evidence
        )
        for identifier, sure, evidence, *sides in rows
    ]


def count_doubtful(conn: Connection, org_id: str | None = None) -> int:
    """The number of doubtful pairs of an organisation, or of all."""
    row = conn.execute(
        """
        SELECT count(*) FROM lightfast.doubtful_identities
        WHERE %(org)s::text IS NULL OR org_id = %(org)s
        """,
        {"org": org_id},
    ).fetchone()
    return row[0] if row else 0
