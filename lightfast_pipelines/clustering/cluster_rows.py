"""Writes clusters and their members where they differ; `cluster_history.py` keeps what they were.

`domain/consolidation.py` decides.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from lightfast_pipelines.clustering.cluster_history import (
    logged_clusters,
    write_aliases,
    write_log,
)
from lightfast_pipelines.clustering.workspace_facts import Material
from lightfast_pipelines.domain.cluster_changes import DecidedCluster, cluster_events
from lightfast_pipelines.domain.cluster_status import ClusterStatus
from lightfast_pipelines.domain.clusters import RULE_VERSION
from lightfast_pipelines.domain.consolidation import Cluster
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.staging import stage

_CLUSTER = (
    "id", "workspace_id", "topic_label", "keywords", "primary_entities", "primary_actors",
    "status", "status_reason", "observation_count", "first_observation_at", "last_observation_at",
    "is_provisional", "rule_version",
)  # fmt: skip
_VALUES = _CLUSTER[2:]
_STAGED = (
    "observation_id", "workspace_id", "cluster_id", "thread_key", "rule_version", "is_provisional",
)  # fmt: skip
# What a membership repeats of its observation, for `nearby.py`.
_COPIED = ("subject_key", "author_identity_id", "occurred_at")


@dataclass(frozen=True, slots=True)
class MembershipChanges:
    """Counts of memberships changed, and of clusters created and removed."""

    members: int = 0
    created: int = 0
    removed: int = 0


def cluster_row(
    workspace_id: int, cluster: Cluster, status: ClusterStatus, *, provisional: bool
) -> tuple[object, ...]:
    """The cluster in the order of its table's columns."""
    return (
        cluster.id,
        workspace_id,
        cluster.label,
        list(cluster.keywords),
        list(cluster.primary_entities),
        list(cluster.primary_actors),
        status.status,
        status.reason,
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
    conn: Connection, workspace_id: int, rows: Iterable[tuple[int, str, str, bool]]
) -> int:
    """Writes memberships (observation, cluster, thread, whether it is provisional), and takes the
    observations out of the queue; skips those that were deleted meanwhile."""
    members = list(rows)
    staged = stage(
        conn,
        "cluster_members",
        _STAGED,
        (
            (observation, workspace_id, cluster, thread, RULE_VERSION, provisional)
            for observation, cluster, thread, provisional in members
        ),
    )
    values = (*_STAGED[2:], *_COPIED)
    written = conn.execute(
        f"""
        INSERT INTO lightfast.cluster_members ({", ".join((*_STAGED, *_COPIED))})
        SELECT {", ".join(f"n.{column}" for column in _STAGED)}, {", ".join(f"o.{c}" for c in _COPIED)}
        FROM {staged} n CROSS JOIN LATERAL (
          -- Looked up one by one: a join reads the whole index if the planner takes it for short.
          SELECT {", ".join(_COPIED)} FROM lightfast.observation_facts o
          WHERE o.id = n.observation_id LIMIT 1
        ) o
        ORDER BY n.observation_id
        ON CONFLICT (observation_id) DO UPDATE
        SET ({", ".join(values)}) = ({", ".join(f"excluded.{column}" for column in values)})
        """
    ).rowcount
    conn.execute(
        "DELETE FROM lightfast.cluster_queue WHERE observation_id = ANY(%s)",
        ([observation for observation, *_ in members],),
    )
    return written


def replace_clusters(
    conn: Connection,
    workspace_id: int,
    material: Material,
    threads: Sequence[str],
    clusters: Sequence[Cluster],
    statuses: Sequence[ClusterStatus],
    now: datetime,
) -> MembershipChanges:
    """Makes these the workspace's clusters, and notes what became of those that it had.

    `threads` is the thread key of each happening, `statuses` has one for each cluster.
    """
    cluster_of: list[str] = [""] * len(material.ids)
    for cluster in clusters:
        for position in cluster.members:
            cluster_of[position] = cluster.id
    moved = [
        (material.ids[position], cluster_of[position], threads[position], False)
        for position, membership in enumerate(material.memberships)
        if (
            membership.cluster_id,
            membership.thread_key,
            membership.rule_version,
        )
        != (cluster_of[position], threads[position], RULE_VERSION)
        or membership.is_provisional
        or not membership.is_true_copy
    ]
    members = write_members(conn, workspace_id, moved)
    upsert_clusters(
        conn,
        (
            cluster_row(workspace_id, cluster, status, provisional=False)
            for cluster, status in zip(clusters, statuses, strict=True)
        ),
    )
    current = {
        cluster.id: DecidedCluster(len(cluster.members), status)
        for cluster, status in zip(clusters, statuses, strict=True)
    }
    removed = conn.execute(
        "DELETE FROM lightfast.clusters WHERE workspace_id = %s AND id <> ALL(%s::text[])",
        (workspace_id, sorted(current)),
    ).rowcount
    before = logged_clusters(conn, workspace_id)
    decided, moves = _moves(material, cluster_of, before)
    write_aliases(conn, workspace_id, current.keys(), moves | decided, now)
    write_log(conn, workspace_id, cluster_events(before, current, decided), now)
    return MembershipChanges(members, len(current.keys() - before.keys()), removed)


def _moves(
    material: Material, cluster_of: Sequence[str], before: Collection[str]
) -> tuple[dict[str, Counter[str]], dict[str, Counter[str]]]:
    """(of the members that had been decided, of all): in which clusters each former one's members are.

    A provisional member was never part of the former cluster, which would seem to split without it.
    """
    decided: dict[str, Counter[str]] = defaultdict(Counter)
    moves: dict[str, Counter[str]] = defaultdict(Counter)
    for position, membership in enumerate(material.memberships):
        former = membership.cluster_id
        if former is None:
            continue
        moves[former][cluster_of[position]] += 1
        if former in before and not membership.is_provisional:
            decided[former][cluster_of[position]] += 1
    return decided, moves
