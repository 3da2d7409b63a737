"""Vectors of clusters and people, which are means of vectors of observations. Postgres makes them.

A mean is made of a bounded number of the latest vectors, so one more costs the same in a large cluster.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import LiteralString

from lightfast_pipelines.domain.narratives import RULE_VERSION
from lightfast_pipelines.store.database import Connection

MOST_MEMBERS = 500
MOST_CONTENTS = 50

_COLUMNS: LiteralString = (
    "content_hash, vector, title, snippet, kind, occurred_at, significance, rule_version"
)

_CENTROIDS: LiteralString = """
SELECT c.id AS key, mean.vector, c.topic_label AS title, left(coalesce(c.summary, ''), 500) AS snippet,
       'cluster' AS kind, c.last_observation_at AS occurred_at, mean.significance
FROM lightfast.clusters c
CROSS JOIN LATERAL (
  SELECT l2_normalize(avg(v.vector::vector)) AS vector, max(m.significance_score) AS significance
  FROM (
    SELECT o.id, o.significance_score
    FROM lightfast.cluster_members m JOIN lightfast.observations o ON o.id = m.observation_id
    WHERE m.cluster_id = c.id AND NOT o.is_deleted
    ORDER BY o.occurred_at DESC, o.source_id LIMIT %(most)s
  ) m
  JOIN lightfast.observation_vectors v
    ON v.observation_id = m.id AND v.view = 'summary' AND v.model = %(model)s
  WHERE l2_norm(v.vector) > 0
) mean
WHERE c.workspace_id = %(workspace)s AND c.id = ANY(%(keys)s) AND mean.vector IS NOT NULL
"""

# What a person authored, not what they did to the work of others.
_PROFILES: LiteralString = """
SELECT p.actor_id AS key, mean.vector, a.display_name AS title, left(coalesce(domains.names, ''), 500) AS snippet,
       'person' AS kind, p.last_active_at AS occurred_at, mean.significance
FROM lightfast.actor_profiles p JOIN lightfast.actors a ON a.id = p.actor_id
CROSS JOIN LATERAL (
  SELECT l2_normalize(avg(v.vector::vector)) AS vector, max(w.significance_score) AS significance
  FROM (
    SELECT o.id, o.significance_score
    FROM lightfast.actor_identities i
    CROSS JOIN LATERAL (
      SELECT o.id, o.occurred_at, o.source_id, o.significance_score FROM lightfast.observations o
      WHERE o.author_identity_id = i.id AND o.workspace_id = p.workspace_id AND NOT o.is_deleted
      ORDER BY o.occurred_at DESC LIMIT %(most)s
    ) o
    WHERE i.actor_id = p.actor_id
    ORDER BY o.occurred_at DESC, o.source_id LIMIT %(most)s
  ) w
  JOIN lightfast.observation_vectors v
    ON v.observation_id = w.id AND v.view = 'content' AND v.model = %(model)s
  WHERE l2_norm(v.vector) > 0
) mean
LEFT JOIN LATERAL (
  SELECT string_agg(d.key, ', ' ORDER BY d.value::float8 DESC, d.key) AS names
  FROM jsonb_each_text(p.expertise_domains) d
) domains ON true
WHERE p.workspace_id = %(workspace)s AND p.actor_id = ANY(%(keys)s) AND a.kind <> 'bot'
  AND mean.vector IS NOT NULL
"""


def make_centroids(
    conn: Connection, workspace: int, model: str, keys: Sequence[str]
) -> tuple[int, int]:
    """Makes the centroids of these clusters: the mean of their latest 500 summary vectors.

    Returns the numbers of vectors written and deleted; one that would not change is not written.
    """
    return _write(conn, "clusters", workspace, model, keys, MOST_MEMBERS)


def make_profile_vectors(
    conn: Connection, workspace: int, model: str, keys: Sequence[str]
) -> tuple[int, int]:
    """Makes the vectors of these actors: the mean of their latest 50 contents. Bots have none."""
    return _write(conn, "profiles", workspace, model, keys, MOST_CONTENTS)


def _write(
    conn: Connection, layer: str, workspace: int, model: str, keys: Sequence[str], most: int
) -> tuple[int, int]:
    means, things, key = {
        "clusters": (_CENTROIDS, "clusters", "id"),
        "profiles": (_PROFILES, "actor_profiles", "actor_id"),
    }[layer]
    row = conn.execute(
        f"""
        WITH made AS MATERIALIZED ({means}),
        written AS (
          INSERT INTO lightfast.memory_vectors AS v
            (workspace_id, layer, key, model, source, {_COLUMNS})
          SELECT %(workspace)s, %(layer)s, key, %(model)s, '',
                 md5(vector::text || title || snippet), vector, title, snippet, kind, occurred_at,
                 significance, %(rules)s
          FROM made ORDER BY key
          ON CONFLICT (workspace_id, layer, key, model) DO UPDATE
            SET ({_COLUMNS}, made_at) = (excluded.content_hash, excluded.vector,
              excluded.title, excluded.snippet, excluded.kind, excluded.occurred_at,
              excluded.significance, excluded.rule_version, now())
            WHERE (v.content_hash, v.occurred_at, v.significance, v.rule_version)
              IS DISTINCT FROM (excluded.content_hash, excluded.occurred_at,
                excluded.significance, excluded.rule_version)
          RETURNING 1
        ),
        -- Vectors of other models are left to these, unless the thing itself is gone.
        gone AS (
          DELETE FROM lightfast.memory_vectors v
          WHERE v.workspace_id = %(workspace)s AND v.layer = %(layer)s AND v.key = ANY(%(keys)s)
            AND NOT EXISTS (SELECT FROM made WHERE made.key = v.key)
            AND (v.model = %(model)s OR NOT EXISTS (
              SELECT FROM lightfast.{things} t
              WHERE t.workspace_id = v.workspace_id AND t.{key} = v.key))
          RETURNING 1
        )
        SELECT (SELECT count(*) FROM written)::int, (SELECT count(*) FROM gone)::int
        """,
        {
            "workspace": workspace,
            "layer": layer,
            "model": model,
            "keys": list(keys),
            "most": most,
            "rules": RULE_VERSION,
        },
    ).fetchone()
    assert row is not None
    return row[0], row[1]
