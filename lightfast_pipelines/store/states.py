"""The states of an entity at a moment, as known now or as known then.

The rule is the SQL function `lightfast.states_of`, which analysts use as well.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from lightfast_pipelines.domain.keys import bounded
from lightfast_pipelines.store.database import Connection, dict_rows
from lightfast_pipelines.store.linked_resources import Workspace


def states_at(
    conn: Connection, key: str, at: datetime, as_known: datetime | None, workspace: Workspace | None
) -> list[dict[str, Any]]:
    """The states that the entity (by key or alias) had at `at`, as known now or as known at `as_known`.

    Without a workspace: in every workspace that has the key.
    """
    rows = dict_rows(
        conn,
        """
        WITH named AS (
          SELECT workspace_id FROM lightfast.entities WHERE key = %(key)s
          UNION
          SELECT workspace_id FROM lightfast.entity_aliases WHERE alias = %(key)s
        )
        SELECT w.slug AS workspace, s.entity, s.entity_name AS name, s.state_type AS state,
               s.state_value AS value, s.state_metadata AS metadata, s.valid_from, s.valid_to,
               s.recorded_at, s.changed_by, s.change_reason AS reason, s.observation
        FROM named n
        JOIN lightfast.workspaces w ON w.id = n.workspace_id
        CROSS JOIN LATERAL lightfast.states_of(
          w.id, %(key)s, %(at)s, coalesce(%(known)s::timestamptz, 'infinity')) s
        WHERE %(workspace)s::bigint IS NULL OR w.id = %(workspace)s
        ORDER BY 1, 2, 4
        """,
        {
            "key": bounded(key),
            "at": at,
            "known": as_known,
            "workspace": workspace.id if workspace else None,
        },
    )
    conn.rollback()
    for row in rows:
        for column in ("valid_from", "valid_to", "recorded_at"):
            row[column] = row[column].isoformat() if row[column] else None
    return rows
