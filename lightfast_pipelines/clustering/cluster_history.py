"""Keeps what happened to clusters, and the ids that they had. Both outlive a rebuild.

`domain/cluster_changes.py` says what a change is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import msgspec

from lightfast_pipelines.domain.cluster_changes import (
    ENDS,
    ClusterEvent,
    LoggedCluster,
    successors,
)
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.staging import stage

# Of each cluster the last event, the last number of observations, and the last event about its status.
_LOGGED = """
SELECT cluster_id, (array_agg(event ORDER BY id DESC))[1],
       (array_agg((detail->>'observations')::integer ORDER BY id DESC)
          FILTER (WHERE detail ? 'observations'))[1],
       (array_agg(event ORDER BY id DESC)
          FILTER (WHERE event = ANY('{created,closed,reopened}')))[1] = 'closed'
FROM lightfast.cluster_log WHERE workspace_id = %s GROUP BY cluster_id
"""


def logged_clusters(conn: Connection, workspace_id: int) -> dict[str, LoggedCluster]:
    """The clusters that the workspace has according to the log."""
    return {
        cluster: LoggedCluster(observations, is_closed)
        for cluster, event, observations, is_closed in conn.execute(_LOGGED, (workspace_id,))
        if event not in ENDS and observations
    }


def write_log(
    conn: Connection, workspace_id: int, events: Sequence[ClusterEvent], now: datetime
) -> None:
    columns = ("workspace_id", "cluster_id", "event", "detail", "at")
    staged = stage(
        conn,
        "cluster_log",
        columns,
        (
            (
                workspace_id,
                event.cluster_id,
                event.event,
                msgspec.json.encode(event.detail).decode(),
                now,
            )
            for event in events
        ),
    )
    conn.execute(
        f"""
        INSERT INTO lightfast.cluster_log ({", ".join(columns)})
        SELECT {", ".join(columns)} FROM {staged} ORDER BY ctid
        """
    )


def write_aliases(
    conn: Connection,
    workspace_id: int,
    current: Collection[str],
    moves: Mapping[str, Counter[str]],
    now: datetime,
) -> None:
    """Makes every former id stand for a cluster that exists: aliases of a former id follow it, and an
    id that is in use is not an alias.

    `moves` counts in which clusters the members of each former cluster are now.
    """
    ids = sorted(current)
    conn.execute(
        "DELETE FROM lightfast.cluster_aliases WHERE workspace_id = %s AND alias_id = ANY(%s)",
        (workspace_id, ids),
    )
    pairs = [(old, new) for old, new in sorted(successors(moves).items()) if old not in current]
    columns = [list(column) for column in zip(*pairs, strict=True)] if pairs else [[], []]
    conn.execute(
        """
        UPDATE lightfast.cluster_aliases a SET cluster_id = n.new, changed_at = %s
        FROM unnest(%s::text[], %s::text[]) AS n (old, new)
        WHERE a.workspace_id = %s AND a.cluster_id = n.old
        """,
        (now, *columns, workspace_id),
    )
    conn.execute(
        """
        INSERT INTO lightfast.cluster_aliases AS a (alias_id, workspace_id, cluster_id, changed_at)
        SELECT n.old, %s, n.new, %s FROM unnest(%s::text[], %s::text[]) AS n (old, new)
        ON CONFLICT (alias_id) DO UPDATE SET cluster_id = excluded.cluster_id,
          changed_at = excluded.changed_at
        WHERE a.cluster_id <> excluded.cluster_id
        """,
        (workspace_id, now, *columns),
    )
    # What they stood for is gone without a successor: all of its observations were deleted.
    conn.execute(
        """
        DELETE FROM lightfast.cluster_aliases a
        WHERE a.workspace_id = %s AND a.cluster_id <> ALL(%s::text[])
        """,
        (workspace_id, ids),
    )
