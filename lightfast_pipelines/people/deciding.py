"""Carries out what a person decides about two identities, or refuses it.

The decision and the actors that follow from it are one transaction. Facts refer to identities, so a merge
rewrites no fact.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from lightfast_pipelines.people.actors import decide_actors
from lightfast_pipelines.people.decisions import (
    LATEST,
    IdentityPair,
    PairVerdict,
    decision_history,
    pair_of,
    record_decision,
)
from lightfast_pipelines.people.identities_named import (
    KnownIdentity,
    identities_named,
    identities_of_actors,
)
from lightfast_pipelines.store.database import Connection

_PAIR_ID = re.compile(r"[0-9a-f]{10}")
_MOST_CANDIDATES = 10


class DecisionRefusedError(ValueError):
    """A decision that cannot be carried out; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class DecidedPair:
    """What became of a decision: the actors of both identities, and how many identities moved."""

    pair_id: str
    verdict: PairVerdict
    left: KnownIdentity
    right: KnownIdentity
    moved: int


def decide_pair(
    conn: Connection,
    pair: IdentityPair,
    verdict: PairVerdict,
    *,
    by: str,
    now: datetime,
    note: str | None = None,
) -> DecidedPair:
    """Records the verdict and decides the organisation's actors again; the caller commits.

    The caller holds the lock of consolidation. Raises DecisionRefusedError, and then the caller rolls
    back, if there is no merge to undo, or if an earlier decision says otherwise.
    """
    left, right = _both(conn, pair)
    if verdict == "undo" and left.actor_id != right.actor_id:
        raise DecisionRefusedError(
            f"{left.key} and {right.key} are two people already, so there is no merge to undo"
        )
    held = _contradicted(conn, pair.org_id)
    record_decision(conn, pair, verdict, by=by, now=now, note=note)
    report = decide_actors(conn, pair.org_id, now=now)
    contradicted = sorted(_contradicted(conn, pair.org_id) - held - {pair.id})
    left, right = _both(conn, pair)
    if contradicted or (left.actor_id == right.actor_id) is not (verdict == "accept"):
        raise DecisionRefusedError(_contradiction(conn, pair, left, right, contradicted))
    return DecidedPair(pair.id, verdict, left, right, len(report.changed))


def _contradicted(conn: Connection, org_id: str) -> set[str]:
    """The pairs that somebody accepted and that are two people, because another decision outranks that."""
    rows = conn.execute(
        f"""
        SELECT d.pair_id
        FROM ({LATEST}) d
        JOIN lightfast.actor_identities l ON l.org_id = d.org_id
          AND l.source = d.left_source AND l.source_id = d.left_source_id
        JOIN lightfast.actor_identities r ON r.org_id = d.org_id
          AND r.source = d.right_source AND r.source_id = d.right_source_id
        WHERE d.verdict = 'accept' AND l.actor_id IS DISTINCT FROM r.actor_id
        """,
        (org_id,),
    ).fetchall()
    return {pair_id for (pair_id,) in rows}


def _both(conn: Connection, pair: IdentityPair) -> tuple[KnownIdentity, KnownIdentity]:
    return (
        _only_one(identities_named(conn, pair.org_id, pair.left_key), pair.org_id, pair.left_key),
        _only_one(identities_named(conn, pair.org_id, pair.right_key), pair.org_id, pair.right_key),
    )


def _contradiction(
    conn: Connection,
    pair: IdentityPair,
    left: KnownIdentity,
    right: KnownIdentity,
    contradicted: Sequence[str],
) -> str:
    """The message of a refusal: which decisions about the same people say otherwise."""
    actors = [actor for actor in (left.actor_id, right.actor_id) if actor is not None]
    actor_of = {each.key: each.actor_id for each in identities_of_actors(conn, pair.org_id, actors)}
    against = contradicted or [
        each.pair_id
        for each in decision_history(conn, pair.org_id, list(actor_of))
        if each.is_latest
        and each.verdict != "accept"
        and {actor_of.get(each.left_key), actor_of.get(each.right_key)} == set(actors)
    ]
    return (
        f"this contradicts earlier decisions about {left.key} and {right.key}, or others of the same "
        f"people: {', '.join(against)}; decide these anew first (`lightfast people show` lists them)"
    )


def pair_named(conn: Connection, org_id: str, words: Sequence[str], *, exact: bool) -> IdentityPair:
    """The pair that a person means: by its id, or by two identities.

    `exact`: several identities of one person are ambiguous; otherwise the one with the smallest key
    stands for that person. Raises DecisionRefusedError if nobody or several are meant.
    """
    if len(words) == 1:
        return _pair_by_id(conn, org_id, words[0])
    keys = [
        _only_one(identities_named(conn, org_id, name), org_id, name, exact=exact).key
        for name in words
    ]
    try:
        return pair_of(org_id, *keys)
    except ValueError:
        raise DecisionRefusedError(f"both name the same identity, {keys[0]}") from None


def _only_one(
    identities: Sequence[KnownIdentity], org_id: str, words: str, *, exact: bool = False
) -> KnownIdentity:
    if not identities:
        raise DecisionRefusedError(
            f"nobody in organisation {org_id} has the key, login, address or name {words!r}"
        )
    people = {each.actor_id or each.key for each in identities}
    if len(people) > 1 or (exact and len(identities) > 1):
        listed = "; ".join(each.key for each in identities[:_MOST_CANDIDATES])
        more = len(identities) - _MOST_CANDIDATES
        raise DecisionRefusedError(
            f"{words!r} names several, so give one of these keys: {listed}"
            + (f"; and {more} more" if more > 0 else "")
        )
    return identities[0]


def is_pair_id(words: str) -> bool:
    return _PAIR_ID.fullmatch(words) is not None


def _pair_by_id(conn: Connection, org_id: str, pair_id: str) -> IdentityPair:
    """A pair on the review list, one that somebody decided about, or one that evidence joins."""
    row = conn.execute(
        """
        SELECT l.source || ':' || l.source_id, r.source || ':' || r.source_id
        FROM lightfast.doubtful_identities d
        JOIN lightfast.actor_identities l ON l.id = d.left_identity_id
        JOIN lightfast.actor_identities r ON r.id = d.right_identity_id
        WHERE d.org_id = %(org)s AND d.id = %(pair)s
        UNION ALL
        SELECT left_source || ':' || left_source_id, right_source || ':' || right_source_id
        FROM lightfast.actor_decisions WHERE org_id = %(org)s AND pair_id = %(pair)s
        LIMIT 1
        """,
        {"org": org_id, "pair": pair_id},
    ).fetchone()
    if row is not None:
        return pair_of(org_id, *row)
    joined = conn.execute(
        """
        SELECT source || ':' || source_id, joined_to FROM lightfast.actor_identities
        WHERE org_id = %s AND joined_to IS NOT NULL
        """,
        (org_id,),
    )
    for key, other in joined:
        pair = pair_of(org_id, key, other)
        if pair.id == pair_id:
            return pair
    raise DecisionRefusedError(
        f"organisation {org_id} has no pair {pair_id}, or other decisions have settled it: "
        "`lightfast people review` and `lightfast people show` list the ids"
    )
