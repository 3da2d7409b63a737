"""Finds observations by what the memory knows: the entities and people of a question, and clusters of hits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from lightfast_pipelines.search.conditions import ALLOWED, Conditions
from lightfast_pipelines.search.resolving import MeantEntity, MeantPerson
from lightfast_pipelines.store.database import Connection

# Mentions of an entity that are looked at, the latest first; with conditions more, as few may meet them.
_MOST_MENTIONS = 150
_MOST_MENTIONS_RESTRICTED = 2_000
_MOST_WORKS = 100
_CLUSTERS = 6
_MOST_MEMBERS = 60


def of_entities(
    conn: Connection, conditions: Conditions, entities: Sequence[MeantEntity], limit: int
) -> dict[int, float]:
    """Observation -> how much it has to do with these entities, the most first.

    What it is about counts more than what it mentions, and an entity that few observations name more.
    """
    rows = conn.execute(
        f"""
        SELECT m.observation_id, m.entity_id, bool_or(m.role = 'subject'), max(m.confidence)
        FROM unnest(%(entities)s::bigint[]) e (id)
        CROSS JOIN LATERAL (
          SELECT m.observation_id, m.entity_id, m.role, m.confidence
          FROM lightfast.observation_entities m WHERE m.entity_id = e.id
          ORDER BY m.entity_id DESC, m.observation_id DESC LIMIT %(mentions)s
        ) m
        JOIN lightfast.observation_facts f ON f.id = m.observation_id
        WHERE {ALLOWED}
        GROUP BY 1, 2
        """,
        {
            **conditions.parameters,
            "entities": [entity.id for entity in entities],
            "mentions": _MOST_MENTIONS_RESTRICTED if conditions.is_restricted else _MOST_MENTIONS,
        },
    )
    telling = {entity.id: 1 / math.log2(2 + entity.occurrences) for entity in entities}
    scores: dict[int, float] = {}
    for observation, entity, is_subject, confidence in rows:
        score = telling[entity] * confidence * (1.0 if is_subject else 0.6)
        scores[observation] = scores.get(observation, 0.0) + score
    return _best(scores, limit)


def of_people(
    conn: Connection, conditions: Conditions, people: Sequence[MeantPerson], limit: int
) -> dict[int, float]:
    """The latest work of these people, the latest first."""
    rows = conn.execute(
        f"""
        SELECT DISTINCT f.id, f.occurred_at
        FROM unnest(%(people)s::bigint[]) i (id)
        CROSS JOIN LATERAL (
          SELECT f.* FROM lightfast.observation_facts f
          WHERE f.author_identity_id = i.id AND {ALLOWED}
          ORDER BY f.author_identity_id DESC, f.workspace_id DESC, f.occurred_at DESC LIMIT %(works)s
        ) f
        ORDER BY f.occurred_at DESC, f.id DESC LIMIT %(limit)s
        """,
        {
            **conditions.parameters,
            "people": [identity for person in people for identity in person.identities],
            "works": _MOST_WORKS,
            "limit": limit,
        },
    ).fetchall()
    return {row[0]: 1 / (place + 1) for place, row in enumerate(rows)}


def of_clusters(
    conn: Connection, conditions: Conditions, votes: Mapping[int, float], limit: int
) -> dict[int, float]:
    """What belongs to the same pieces of work as the best hits of the other paths.

    `votes` are those hits with their scores; a member has the score of its cluster.
    """
    rows = conn.execute(
        f"""
        WITH votes AS (
          SELECT * FROM unnest(%(hits)s::bigint[], %(scores)s::float8[]) AS v (id, score)
        ), best AS (
          SELECT m.cluster_id, sum(v.score) / sqrt(greatest(max(c.observation_count), 3)) AS score
          FROM votes v JOIN lightfast.cluster_members m ON m.observation_id = v.id
          JOIN lightfast.clusters c ON c.id = m.cluster_id
          GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {_CLUSTERS}
        )
        SELECT f.id, b.score FROM best b
        CROSS JOIN LATERAL (
          SELECT m.observation_id FROM lightfast.cluster_members m
          WHERE m.cluster_id = b.cluster_id LIMIT {_MOST_MEMBERS}
        ) m
        JOIN lightfast.observation_facts f ON f.id = m.observation_id
        WHERE {ALLOWED}
        """,
        {
            **conditions.parameters,
            "hits": list(votes),
            "scores": [float(score) for score in votes.values()],
        },
    )
    scores = {
        observation: float(score) + 0.1 * votes.get(observation, 0.0) for observation, score in rows
    }
    return _best(scores, limit)


def _best(scores: Mapping[int, float], limit: int) -> dict[int, float]:
    ordered = sorted(scores.items(), key=lambda item: (-item[1], -item[0]))
    return dict(ordered[:limit])
