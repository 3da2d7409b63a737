"""The cluster nearest to an observation: of the same author, on one of its files, within a day.

Every observation of those days is read once and looked up in memory. Asked of the database for each
observation anew, a push of 8,000 commits by one person compared them all with one another.
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

_CLUSTERED = f"""
SELECT o.author_identity_id, o.occurred_at, o.source_id, m.cluster_id, {_OF_FILES}
FROM unnest(%(starts)s::timestamptz[], %(ends)s::timestamptz[]) AS span (start, stop)
JOIN lightfast.observations o
  ON o.workspace_id = %(workspace)s AND o.occurred_at BETWEEN span.start AND span.stop
JOIN lightfast.cluster_members m
  ON m.observation_id = o.id AND m.rule_version >= %(version)s
WHERE o.author_identity_id = ANY(%(authors)s)
"""

_Place = tuple[int, int]
_Standing = tuple[datetime, str, str]


def nearest_clusters(conn: Connection, workspace_id: int, ids: Iterable[int]) -> dict[int, str]:
    """observation -> cluster, for those of these observations that have a near one."""
    asked = [row for row in conn.execute(_ASKED, {"ids": sorted(ids)}) if row[3]]
    if not asked:
        return {}
    spans = _spans([at for _, _, at, _ in asked])
    rows = conn.execute(
        _CLUSTERED,
        {
            "workspace": workspace_id,
            "authors": sorted({author for _, author, _, _ in asked}),
            "starts": [start for start, _ in spans],
            "ends": [end for _, end in spans],
            "version": RULE_VERSION,
        },
    )
    standing: dict[_Place, list[_Standing]] = defaultdict(list)
    for author, at, source_id, cluster, files in rows:
        for file in files:
            standing[author, file].append((at, source_id, cluster))
    for there in standing.values():
        there.sort()
    found = {
        observation: _nearest(standing, at, [(author, file) for file in files])
        for observation, author, at, files in asked
    }
    return {observation: cluster for observation, cluster in found.items() if cluster is not None}


def _spans(moments: Sequence[datetime]) -> list[tuple[datetime, datetime]]:
    """A day around each moment; those that overlap are one."""
    spans: list[tuple[datetime, datetime]] = []
    for moment in sorted(moments):
        start, end = moment - _WITHIN, moment + _WITHIN
        if spans and start <= spans[-1][1]:
            start = spans.pop()[0]
        spans.append((start, end))
    return spans


def _nearest(
    standing: Mapping[_Place, Sequence[_Standing]], at: datetime, places: Iterable[_Place]
) -> str | None:
    """The cluster of the one nearest in time; of two as near, of the smaller source_id."""
    candidates: list[tuple[timedelta, str, str]] = []
    for place in places:
        there = standing.get(place, ())
        after = bisect_left(there, (at,))
        ones = [there[after]] if after < len(there) else []
        if after:
            ones.append(there[bisect_left(there, (there[after - 1][0],))])
        candidates += ((abs(then - at), source_id, cluster) for then, source_id, cluster in ones)
    near = min(candidates, default=None)
    return near[2] if near is not None and near[0] <= _WITHIN else None
