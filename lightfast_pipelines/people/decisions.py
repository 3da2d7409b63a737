"""What people decided about two identities: an input to which rows are only added.

A decision names identities by their natural keys, as a rebuild gives their rows new numbers. The latest
decision about a pair counts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, LiteralString

from lightfast_pipelines.domain.people.identities import Decision
from lightfast_pipelines.store.database import Connection

PairVerdict = Literal["accept", "reject", "undo"]

LATEST: LiteralString = """
SELECT DISTINCT ON (pair_id) * FROM lightfast.actor_decisions
WHERE org_id = %s ORDER BY pair_id, id DESC
"""
"""The decisions of an organisation that count: the latest about each pair."""


@dataclass(frozen=True, slots=True)
class IdentityPair:
    """Two identities of an organisation by their keys; `left_key` is the smaller one."""

    org_id: str
    left_key: str
    right_key: str

    @property
    def id(self) -> str:
        """Ten characters by which commands name the pair, the same in any database."""
        text = "\x1f".join(("pair", self.org_id, self.left_key, self.right_key))
        return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:10]


@dataclass(frozen=True, slots=True)
class RecordedDecision:
    """A row of the history. `is_latest`: no later decision is about the same pair."""

    pair_id: str
    left_key: str
    right_key: str
    verdict: PairVerdict
    decided_by: str
    decided_at: datetime
    note: str | None
    is_latest: bool


def pair_of(org_id: str, key: str, other_key: str) -> IdentityPair:
    """Raises ValueError if both keys are the same."""
    if key == other_key:
        raise ValueError("an identity is always the same as itself")
    return IdentityPair(org_id, min(key, other_key), max(key, other_key))


def record_decision(
    conn: Connection,
    pair: IdentityPair,
    verdict: PairVerdict,
    *,
    by: str,
    now: datetime,
    note: str | None = None,
) -> None:
    """Adds a decision; the caller decides the organisation's actors again and commits."""
    left_source, _, left_id = pair.left_key.partition(":")
    right_source, _, right_id = pair.right_key.partition(":")
    conn.execute(
        """
        INSERT INTO lightfast.actor_decisions (org_id, pair_id, left_source, left_source_id,
          right_source, right_source_id, verdict, decided_by, decided_at, note)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        (
            *(pair.org_id, pair.id, left_source, left_id, right_source, right_id),
            *(verdict, by, now, note),
        ),
    )


def valid_decisions(conn: Connection, org_id: str) -> list[Decision]:
    """The latest decision about each pair, as the rule reads it."""
    rows = conn.execute(
        f"""
        SELECT left_source || ':' || left_source_id, right_source || ':' || right_source_id, verdict
        FROM ({LATEST}) d
        """,
        (org_id,),
    ).fetchall()
    return [
        Decision(left, right, "same" if verdict == "accept" else "different")
        for left, right, verdict in rows
    ]


def decision_history(
    conn: Connection, org_id: str, keys: Collection[str]
) -> list[RecordedDecision]:
    """All decisions about these identities, the latest first."""
    rows = conn.execute(
        """
        SELECT * FROM (
          SELECT pair_id, left_source || ':' || left_source_id AS left_key,
                 right_source || ':' || right_source_id AS right_key, verdict, decided_by,
                 decided_at, note, row_number() OVER (PARTITION BY pair_id ORDER BY id DESC) = 1, id
          FROM lightfast.actor_decisions WHERE org_id = %(org)s
        ) all_decisions
        WHERE left_key = ANY(%(keys)s) OR right_key = ANY(%(keys)s) ORDER BY id DESC
        """,
        {"org": org_id, "keys": list(keys)},
    ).fetchall()
    return [RecordedDecision(*row[:-1]) for row in rows]


def count_decisions(conn: Connection) -> int:
    """The number of pairs about which somebody has decided."""
    row = conn.execute(
        "SELECT count(DISTINCT (org_id, pair_id)) FROM lightfast.actor_decisions"
    ).fetchone()
    return row[0] if row else 0
