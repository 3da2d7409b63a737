"""Looks up, in an index and within bounds, the clusters that new observations may join.

Every look-up reads a fixed number of index entries at most, so an observation costs the same however
long the history is and however many observations a branch, a file or a person has. What lies beyond the
bounds is left to consolidation.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from lightfast_pipelines.domain.threads import STRONG, ThreadEdge
from lightfast_pipelines.store.database import Connection

_WITHIN = timedelta(days=1)
# How many earlier and later observations of an author are looked at. On ipython and starlette the
# nearest one on the same file is among the first eight for 98 % of the commits that have one.
_MOST_NEIGHBOURS = 8
# How many edges of an entity are followed each way.
_MOST_EDGES = 100
# How many observations of one thing vote on its cluster.
_MOST_VOTES = 20

_ASKED = """
SELECT o.id, o.author_identity_id, o.occurred_at FROM lightfast.observation_facts o
WHERE o.id = ANY(%s) AND o.author_identity_id IS NOT NULL
"""

_FILES = """
SELECT e.observation_id, e.entity_id FROM lightfast.observation_entities e
WHERE e.observation_id = ANY(%s) AND e.role = 'file'
"""

# A LIMIT in a LATERAL query keeps Postgres from reading a whole table for a large batch. Which index it
# takes must not depend on statistics: those of a first import are of empty tables, and Postgres then read
# 40,000 rows for each. The order of rows below is that of one index alone, so without sorting there is no
# other way.
_WITHOUT_SORTING = "SET LOCAL enable_sort = off; SET LOCAL enable_incremental_sort = off"
_WITH_SORTING = "SET LOCAL enable_sort = on; SET LOCAL enable_incremental_sort = on"

_NEIGHBOURS = f"""
SELECT n.observation_id, n.author_identity_id, n.occurred_at, f.source_id, n.cluster_id
FROM (SELECT DISTINCT n.* FROM unnest(%(authors)s::bigint[], %(times)s::timestamptz[]) AS asked (author, at)
CROSS JOIN LATERAL (
  (
    SELECT o.observation_id, o.author_identity_id, o.occurred_at, o.cluster_id
    FROM lightfast.cluster_members o
    WHERE (o.workspace_id, o.author_identity_id, o.occurred_at)
        >= (%(workspace)s, asked.author, asked.at - %(within)s)
      AND (o.workspace_id, o.author_identity_id, o.occurred_at)
        <= (%(workspace)s, asked.author, asked.at)
    ORDER BY o.workspace_id DESC, o.author_identity_id DESC, o.occurred_at DESC
    LIMIT {_MOST_NEIGHBOURS}
  ) UNION ALL (
    SELECT o.observation_id, o.author_identity_id, o.occurred_at, o.cluster_id
    FROM lightfast.cluster_members o
    WHERE (o.workspace_id, o.author_identity_id, o.occurred_at)
        > (%(workspace)s, asked.author, asked.at)
      AND (o.workspace_id, o.author_identity_id, o.occurred_at)
        <= (%(workspace)s, asked.author, asked.at + %(within)s)
    ORDER BY o.workspace_id, o.author_identity_id, o.occurred_at
    LIMIT {_MOST_NEIGHBOURS}
  )
) n) n
CROSS JOIN LATERAL (
  SELECT f.source_id FROM lightfast.observation_facts f WHERE f.id = n.observation_id LIMIT 1
) f
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
SELECT asked.key, o.cluster_id, count(*)
FROM unnest(%(keys)s::text[]) AS asked (key)
CROSS JOIN LATERAL (
  SELECT o.cluster_id FROM lightfast.cluster_members o
  WHERE o.workspace_id = %(workspace)s AND o.subject_key = asked.key
  ORDER BY o.cluster_id LIMIT {_MOST_VOTES}
) o
GROUP BY 1, 2
"""

# (author, file) and (time, source_id, cluster).
_Place = tuple[int, int]
_Clustered = tuple[datetime, str, str]


def links_around(
    conn: Connection, workspace_id: int, subjects: Collection[str]
) -> list[ThreadEdge]:
    """The strong edges that may put these subjects into a thread."""
    parameters = {"workspace": workspace_id, "keys": sorted(subjects), "types": sorted(STRONG)}
    return [ThreadEdge(*row) for row in conn.execute(_LINKS, parameters)]


def clusters_of_things(
    conn: Connection, workspace_id: int, keys: Collection[str]
) -> Iterator[tuple[str, str, int]]:
    """(subject, cluster, votes) of observations that are about these things."""
    parameters = {"workspace": workspace_id, "keys": sorted(keys)}
    yield from conn.execute(_CLUSTERS_OF_THINGS, parameters)


def nearest_clusters(conn: Connection, workspace_id: int, ids: Iterable[int]) -> dict[int, str]:
    """observation -> the cluster of the nearest observation of its author on one of its files, within
    a day; observations without one are left out."""
    asked = conn.execute(_ASKED, (sorted(ids),)).fetchall()
    files = _files(conn, [observation for observation, _, _ in asked])
    asked = [row for row in asked if row[0] in files]
    if not asked:
        return {}
    moments = sorted({(author, at) for _, author, at in asked})
    conn.execute(_WITHOUT_SORTING)
    neighbours = conn.execute(
        _NEIGHBOURS,
        {
            "workspace": workspace_id,
            "authors": [author for author, _ in moments],
            "times": [at for _, at in moments],
            "within": _WITHIN,
        },
    ).fetchall()
    conn.execute(_WITH_SORTING)
    files |= _files(conn, [row[0] for row in neighbours])
    by_place: dict[_Place, list[_Clustered]] = defaultdict(list)
    for observation, author, at, source_id, cluster in neighbours:
        for file in files.get(observation, ()):
            by_place[author, file].append((at, source_id, cluster))
    for clustered in by_place.values():
        clustered.sort()
    nearest = {
        observation: _nearest(by_place, at, [(author, file) for file in files[observation]])
        for observation, author, at in asked
    }
    return {observation: cluster for observation, cluster in nearest.items() if cluster is not None}


def _files(conn: Connection, ids: Sequence[int]) -> dict[int, list[int]]:
    """observation -> its files; observations without any are left out."""
    files: dict[int, list[int]] = defaultdict(list)
    for observation, file in conn.execute(_FILES, (sorted(ids),)):
        files[observation].append(file)
    return files


def _nearest(
    by_place: Mapping[_Place, Sequence[_Clustered]], at: datetime, places: Iterable[_Place]
) -> str | None:
    """The cluster of the observation nearest in time; of two equally near, the one with the smaller
    source_id."""
    candidates: list[tuple[timedelta, str, str]] = []
    for place in places:
        clustered = by_place.get(place, ())
        after = bisect_left(clustered, (at,))
        neighbours = [clustered[after]] if after < len(clustered) else []
        if after:
            neighbours.append(clustered[bisect_left(clustered, (clustered[after - 1][0],))])
        candidates += (
            (abs(other_time - at), source_id, cluster)
            for other_time, source_id, cluster in neighbours
        )
    nearest = min(candidates, default=None)
    return nearest[2] if nearest is not None and nearest[0] <= _WITHIN else None
