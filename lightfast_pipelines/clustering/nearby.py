"""Finds the nearest cluster of an observation: by the same author, on one of its files, within a day.

All observations of those days are read once and searched in memory. One query for each observation
compared all 8,000 commits of a push by one person with one another.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from lightfast_pipelines.domain.clusters import RULE_VERSION
from lightfast_pipelines.store.database import Connection

_WITHIN = timedelta(days=1)

_OF_FILES = """
  ARRAY(
    SELECT e.entity_id FROM lightfast.observation_entities e
    WHERE e.observation_id = o.id AND e.role = 'file'
  )
"""

_ASKED = f"""
SELECT o.id, o.author_identity_id, o.occurred_at, {_OF_FILES}
FROM lightfast.observations o
WHERE o.id = ANY(%(ids)s) AND o.author_identity_id IS NOT NULL
"""

_NEIGHBOURS = f"""
SELECT o.author_identity_id, o.occurred_at, o.source_id, m.cluster_id, {_OF_FILES}
FROM unnest(%(starts)s::timestamptz[], %(ends)s::timestamptz[]) AS span (start, stop)
JOIN lightfast.observations o
  ON o.workspace_id = %(workspace)s AND o.occurred_at BETWEEN span.start AND span.stop
JOIN lightfast.cluster_members m
  ON m.observation_id = o.id AND m.rule_version >= %(version)s
WHERE o.author_identity_id = ANY(%(authors)s)
"""

# (author, file) and (time, source_id, cluster).
_Place = tuple[int, int]
_Clustered = tuple[datetime, str, str]


def nearest_clusters(conn: Connection, workspace_id: int, ids: Iterable[int]) -> dict[int, str]:
    """observation -> its nearest cluster; observations without one are left out."""
    asked = [row for row in conn.execute(_ASKED, {"ids": sorted(ids)}) if row[3]]
    if not asked:
        return {}
    spans = _spans([at for _, _, at, _ in asked])
    rows = conn.execute(
        _NEIGHBOURS,
        {
            "workspace": workspace_id,
            "authors": sorted({author for _, author, _, _ in asked}),
            "starts": [start for start, _ in spans],
            "ends": [end for _, end in spans],
            "version": RULE_VERSION,
        },
    )
    by_place: dict[_Place, list[_Clustered]] = defaultdict(list)
    for author, at, source_id, cluster, files in rows:
        for file in files:
            by_place[author, file].append((at, source_id, cluster))
    for neighbours in by_place.values():
        neighbours.sort()
    nearest = {
        observation: _nearest(by_place, at, [(author, file) for file in files])
        for observation, author, at, files in asked
    }
    return {observation: cluster for observation, cluster in nearest.items() if cluster is not None}


def _spans(moments: Sequence[datetime]) -> list[tuple[datetime, datetime]]:
    """A day before and after each moment; spans that overlap are joined."""
    spans: list[tuple[datetime, datetime]] = []
    for moment in sorted(moments):
        start, end = moment - _WITHIN, moment + _WITHIN
        if spans and start <= spans[-1][1]:
            start = spans.pop()[0]
        spans.append((start, end))
    return spans


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
