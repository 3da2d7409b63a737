"""Writes clusters and their members where they differ, with a log, and aliases for changed ids.

`domain/consolidation.py` decides.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from lightfast_pipelines.clustering.workspace_facts import Material
from lightfast_pipelines.domain.clusters import RULE_VERSION
from lightfast_pipelines.domain.consolidation import Cluster
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.staging import stage

_CLUSTER = (
    "id", "workspace_id", "topic_label", "keywords", "primary_entities", "primary_actors",
    "status", "observation_count", "first_observation_at", "last_observation_at",
    "is_provisional", "rule_version",
)  # fmt: skip
_VALUES = _CLUSTER[2:]


@dataclass(frozen=True, slots=True)
class MembershipChanges:
    """Counts of memberships changed, and of clusters created and removed."""

    members: int = 0
    created: int = 0
    removed: int = 0


def cluster_row(workspace_id: int, cluster: Cluster, *, provisional: bool) -> tuple[object, ...]:
    """The cluster in the order of its table's columns."""
    return (
        cluster.id,
        workspace_id,
        cluster.label,
        list(cluster.keywords),
        list(cluster.primary_entities),
        list(cluster.primary_actors),
        cluster.status,
        len(cluster.members),
        datetime.fromtimestamp(cluster.first, UTC),
        datetime.fromtimestamp(cluster.last, UTC),
        provisional,
        RULE_VERSION,
    )


def upsert_clusters(conn: Connection, rows: Iterable[Sequence[object]]) -> int:
    """Writes the rows of `cluster_row` that differ; returns their number."""
    staged = stage(conn, "clusters", _CLUSTER, rows)
    new = ", ".join(f"excluded.{column}" for column in _VALUES)
    old = ", ".join(f"c.{column}" for column in _VALUES)
    return conn.execute(
        f"""
        INSERT INTO lightfast.clusters AS c ({", ".join(_CLUSTER)})
        SELECT {", ".join(_CLUSTER)} FROM {staged} ORDER BY id
        ON CONFLICT (id) DO UPDATE SET ({", ".join(_VALUES)}) = ({new})
        WHERE ({old}) IS DISTINCT FROM ({new})
        """
    ).rowcount


def write_members(
    conn: Connection, workspace_id: int, rows: Iterable[tuple[int, str, str]], *, provisional: bool
) -> int:
    """Writes memberships (observation, cluster, thread); skips observations that were deleted
    meanwhile."""
    columns = ("observation_id", "workspace_id", "cluster_id", "thread_key", "rule_version")
    staged = stage(
        conn,
        "cluster_members",
        (*columns, "is_provisional"),
        (
            (observation, workspace_id, cluster, thread, RULE_VERSION, provisional)
            for observation, cluster, thread in rows
        ),
    )
    # Without statistics, Postgres reads all observations to update a single one.
    conn.execute(f"ANALYZE {staged}")
    written = conn.execute(
        f"""
        INSERT INTO lightfast.cluster_members ({", ".join(columns)}, is_provisional)
        SELECT {", ".join(f"n.{column}" for column in columns)}, n.is_provisional
        FROM {staged} n CROSS JOIN LATERAL (
          -- Looked up one by one: a join reads the whole index if the planner takes it for short.
          SELECT FROM lightfast.observations o WHERE o.id = n.observation_id LIMIT 1
        ) o
        ORDER BY n.observation_id
        ON CONFLICT (observation_id) DO UPDATE SET cluster_id = excluded.cluster_id,
          thread_key = excluded.thread_key, rule_version = excluded.rule_version,
          is_provisional = excluded.is_provisional
        """
    ).rowcount
    conn.execute(
        f"""
        UPDATE lightfast.observations o SET cluster_id = n.cluster_id FROM {staged} n
        WHERE o.id = n.observation_id AND o.cluster_id IS DISTINCT FROM n.cluster_id
        """
    )
    return written


def replace_clusters(
    conn: Connection,
    workspace_id: int,
    material: Material,
    threads: Sequence[str],
    clusters: Sequence[Cluster],
    now: datetime,
) -> MembershipChanges:
    """Makes these the workspace's clusters; `threads` is the thread key of each happening."""
    cluster_of: list[str] = [""] * len(material.ids)
    for cluster in clusters:
        for position in cluster.members:
            cluster_of[position] = cluster.id
    moved = [
        (material.ids[position], cluster_of[position], threads[position])
        for position, membership in enumerate(material.memberships)
        if (
            membership.cluster_id,
            membership.observation_cluster,
            membership.thread_key,
            membership.rule_version,
        )
        != (cluster_of[position], cluster_of[position], threads[position], RULE_VERSION)
        or membership.is_provisional
    ]
    members = write_members(conn, workspace_id, moved, provisional=False)
    before = _clusters_before(conn, workspace_id)
    upsert_clusters(conn, (cluster_row(workspace_id, c, provisional=False) for c in clusters))
    current = {cluster.id: len(cluster.members) for cluster in clusters}
    gone_ids = sorted(before.keys() - current.keys())
    conn.execute("DELETE FROM lightfast.clusters WHERE id = ANY(%s)", (gone_ids,))
    moves: dict[str, Counter[str]] = defaultdict(Counter)
    for position, membership in enumerate(material.memberships):
        if membership.cluster_id is not None:
            moves[membership.cluster_id][cluster_of[position]] += 1
    successor = {
        old: min(targets, key=lambda new: (-targets[new], new)) for old, targets in moves.items()
    }
    _write_aliases(conn, workspace_id, gone_ids, successor, current.keys(), now)
    _write_log(conn, workspace_id, before, current, successor, now)
    return MembershipChanges(members, len(current.keys() - before.keys()), len(gone_ids))


def _clusters_before(conn: Connection, workspace_id: int) -> dict[str, tuple[int, bool]]:
    """id -> (observations, whether it was provisional)."""
    rows = conn.execute(
        """
        SELECT id, observation_count, is_provisional FROM lightfast.clusters
        WHERE workspace_id = %s
        """,
        (workspace_id,),
    )
    return {identifier: (count, provisional) for identifier, count, provisional in rows}


def _write_aliases(
    conn: Connection,
    workspace_id: int,
    gone_ids: Sequence[str],
    successor: Mapping[str, str],
    current: Iterable[str],
    now: datetime,
) -> None:
    """Writes an alias for each id that is gone. Aliases of that id follow; an id that is in use again
    stops being an alias."""
    conn.execute(
        "DELETE FROM lightfast.cluster_aliases WHERE workspace_id = %s AND alias_id = ANY(%s)",
        (workspace_id, list(current)),
    )
    pairs = [(old, successor[old]) for old in gone_ids if old in successor]
    if not pairs:
        return
    columns = [list(column) for column in zip(*pairs, strict=True)]
    conn.execute(
        """
        UPDATE lightfast.cluster_aliases a SET cluster_id = n.new, changed_at = %s
        FROM unnest(%s::text[], %s::text[]) AS n (old, new)
        WHERE a.workspace_id = %s AND a.cluster_id = n.old AND a.alias_id <> n.new
        """,
        (now, *columns, workspace_id),
    )
    conn.execute(
        """
        INSERT INTO lightfast.cluster_aliases (alias_id, workspace_id, cluster_id, changed_at)
        SELECT n.old, %s, n.new, %s FROM unnest(%s::text[], %s::text[]) AS n (old, new)
        ON CONFLICT (alias_id) DO UPDATE SET cluster_id = excluded.cluster_id,
          changed_at = excluded.changed_at
        """,
        (workspace_id, now, *columns),
    )


def _write_log(
    conn: Connection,
    workspace_id: int,
    before: Mapping[str, tuple[int, bool]],
    current: Mapping[str, int],
    successor: Mapping[str, str],
    now: datetime,
) -> None:
    """Logs what happened to clusters that had been decided; provisional ones leave no trace."""
    rows: list[tuple[str, str, dict[str, object]]] = []
    for cluster, count in sorted(current.items()):
        count_before, provisional = before.get(cluster, (0, True))
        if provisional:
            rows.append((cluster, "created", {"observations": count}))
        elif count_before != count:
            event = "grown" if count > count_before else "shrunk"
            rows.append((cluster, event, {"observations": count, "before": count_before}))
    for cluster in sorted(before.keys() - current.keys()):
        count_before, provisional = before[cluster]
        if provisional:
            continue
        successor_id = successor.get(cluster)
        event = (
            "removed" if successor_id is None else "merged" if successor_id in before else "renamed"
        )
        rows.append((cluster, event, {"before": count_before, "into": successor_id}))
    staged = stage(
        conn,
        "cluster_log",
        ("workspace_id", "cluster_id", "event", "detail", "at"),
        (
            (workspace_id, cluster, event, msgspec.json.encode(detail).decode(), now)
            for cluster, event, detail in rows
        ),
    )
    conn.execute(
        f"""
        INSERT INTO lightfast.cluster_log (workspace_id, cluster_id, event, detail, at)
        SELECT * FROM {staged}
        """
    )
