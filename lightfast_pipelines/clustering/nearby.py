"""Looks up, in an index and within bounds, the clusters that new observations may join.

Every look-up reads a fixed number of index entries at most, so an observation costs the same however
long the history is and however many observations a branch, a file or a person has. What lies beyond the
bounds is left to consolidation.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from typing import Any

from lightfast_pipelines.domain.threads import STRONG, ThreadEdge
from lightfast_pipelines.store.database import Connection

_WITHIN = timedelta(days=1)
# How many earlier and later observations of an author are looked at. On ipython and starlette the
# nearest one on the same file is among the first eight for 98 % of the commits that have one.
_MOST_NEIGHBOURS = 8
# How many files of an observation are looked at: some change thousands.
_MOST_FILES = 200
# How many edges of an entity are followed each way.
_MOST_EDGES = 100
# How many observations of one thing vote on its cluster.
_MOST_VOTES = 20

# A LIMIT in a LATERAL query keeps Postgres from reading a whole table for a large batch. Which index it
# takes must not depend on statistics: those of a first import are of empty tables, and Postgres then read
# 40,000 rows for each. The order of rows below is that of one index alone, so without sorting there is no
# other way.
_WITHOUT_SORTING = "SET LOCAL enable_sort = off; SET LOCAL enable_incremental_sort = off"
_WITH_SORTING = "SET LOCAL enable_sort = on; SET LOCAL enable_incremental_sort = on"

_FILES = f"""ARRAY(
    SELECT f.entity_id FROM lightfast.observation_entities f
    WHERE f.observation_id = {{}} AND f.role = 'file' ORDER BY f.stated_key LIMIT {_MOST_FILES})"""

# Nearest first, so that most are found after a look at the files of one or two neighbours.
_NEAREST = f"""
SELECT asked.id, nearest.cluster_id
FROM unnest(%(ids)s::bigint[]) AS asked (id)
CROSS JOIN LATERAL (
  SELECT o.author_identity_id AS author, o.occurred_at AS at, {_FILES.format("asked.id")} AS files
  FROM lightfast.observation_facts o
  WHERE o.id = asked.id AND o.author_identity_id IS NOT NULL LIMIT 1
) o
CROSS JOIN LATERAL (
  SELECT n.cluster_id FROM (
    SELECT n.observation_id, n.cluster_id FROM (
      (
        SELECT m.observation_id, m.occurred_at, m.cluster_id
        FROM lightfast.cluster_members m
        WHERE (m.workspace_id, m.author_identity_id, m.occurred_at)
            >= (%(workspace)s, o.author, o.at - %(within)s)
          AND (m.workspace_id, m.author_identity_id, m.occurred_at)
            <= (%(workspace)s, o.author, o.at)
        ORDER BY m.workspace_id DESC, m.author_identity_id DESC, m.occurred_at DESC
        LIMIT {_MOST_NEIGHBOURS}
      ) UNION ALL (
        SELECT m.observation_id, m.occurred_at, m.cluster_id
        FROM lightfast.cluster_members m
        WHERE (m.workspace_id, m.author_identity_id, m.occurred_at)
            > (%(workspace)s, o.author, o.at)
          AND (m.workspace_id, m.author_identity_id, m.occurred_at)
            <= (%(workspace)s, o.author, o.at + %(within)s)
        ORDER BY m.workspace_id, m.author_identity_id, m.occurred_at
        LIMIT {_MOST_NEIGHBOURS}
      )
    ) n
    ORDER BY greatest(n.occurred_at - o.at, o.at - n.occurred_at), n.cluster_id
    OFFSET 0
  ) n
  WHERE o.files && {_FILES.format("n.observation_id")}
  LIMIT 1
) nearest
WHERE o.files <> '{{}}'
"""

_EDGES = f"""
  CROSS JOIN LATERAL (
    (
      SELECT r.subject_id, r.type, r.object_id FROM lightfast.relationships r
      WHERE r.subject_id = e.id AND r.type = ANY(%(types)s) LIMIT {_MOST_EDGES}
    ) UNION ALL (
      SELECT r.subject_id, r.type, r.object_id FROM lightfast.relationships r
      WHERE r.object_id = e.id AND r.type = ANY(%(types)s) LIMIT {_MOST_EDGES}
    )
  ) r
"""

# Strong edges up to two steps away from the subjects: a pull request's other commits are two away.
_LINKS = f"""
WITH start AS MATERIALIZED (
  SELECT e.id FROM unnest(%(keys)s::text[]) AS asked (key)
  CROSS JOIN LATERAL (
    SELECT e.id FROM lightfast.entities e
    WHERE e.workspace_id = %(workspace)s AND e.key = asked.key LIMIT 1
  ) e
), near AS MATERIALIZED (
  SELECT r.subject_id, r.object_id FROM start e {_EDGES}
), reached AS MATERIALIZED (
  SELECT subject_id AS id FROM near UNION SELECT object_id FROM near
), links AS MATERIALIZED (
  SELECT DISTINCT r.subject_id, r.type, r.object_id FROM reached e {_EDGES}
), ends AS MATERIALIZED (
  SELECT ids.id, e.key
  FROM (SELECT subject_id AS id FROM links UNION SELECT object_id FROM links) ids
  CROSS JOIN LATERAL (SELECT e.key FROM lightfast.entities e WHERE e.id = ids.id LIMIT 1) e
)
SELECT s.key, l.type, o.key
FROM links l JOIN ends s ON s.id = l.subject_id JOIN ends o ON o.id = l.object_id
"""

_CLUSTERS_OF_THINGS = f"""
SELECT asked.key, m.cluster_id, count(*)
FROM unnest(%(keys)s::text[]) AS asked (key)
CROSS JOIN LATERAL (
  SELECT m.cluster_id FROM lightfast.cluster_members m
  WHERE (m.workspace_id, m.subject_key) >= (%(workspace)s, asked.key)
    AND (m.workspace_id, m.subject_key) <= (%(workspace)s, asked.key)
  ORDER BY m.workspace_id, m.subject_key, m.cluster_id LIMIT {_MOST_VOTES}
) m
GROUP BY 1, 2
"""


def links_around(
    conn: Connection, workspace_id: int, subjects: Collection[str]
) -> list[ThreadEdge]:
    """The strong edges that may put these subjects into a thread."""
    parameters = {"workspace": workspace_id, "keys": sorted(subjects), "types": sorted(STRONG)}
    return [ThreadEdge(*row) for row in conn.execute(_LINKS, parameters)]


def clusters_of_things(
    conn: Connection, workspace_id: int, keys: Collection[str]
) -> list[tuple[str, str, int]]:
    """(subject, cluster, votes) of observations that are about these things."""
    parameters = {"workspace": workspace_id, "keys": sorted(keys)}
    return _without_sorting(conn, _CLUSTERS_OF_THINGS, parameters)


def nearest_clusters(conn: Connection, workspace_id: int, ids: Iterable[int]) -> dict[int, str]:
    """observation -> the cluster of the nearest observation of its author on one of its files, within
    a day; of two equally near, the one with the smaller id. Observations without one are left out."""
    asked = sorted(ids)
    if not asked:
        return {}
    parameters = {"ids": asked, "workspace": workspace_id, "within": _WITHIN}
    return dict(_without_sorting(conn, _NEAREST, parameters))


def _without_sorting(
    conn: Connection, query: str, parameters: Mapping[str, object]
) -> list[tuple[Any, ...]]:
    """The rows of a query that says by its order which index to take."""
    conn.execute(_WITHOUT_SORTING)
    rows = conn.execute(query, parameters).fetchall()
    conn.execute(_WITH_SORTING)
    return rows
