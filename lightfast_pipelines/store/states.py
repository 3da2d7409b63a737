"""The states of an entity at a moment, as known now or as known then."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from lightfast_pipelines.domain.keys import bounded
from lightfast_pipelines.store.database import Connection, dict_rows
from lightfast_pipelines.store.linked_resources import Workspace


def states_at(
    conn: Connection, key: str, at: datetime, as_known: datetime | None, workspace: Workspace | None
) -> list[dict[str, Any]]:
    """The states that the entity (by key or alias) had at `at`, as known now or as known at `as_known`."""
    rows = dict_rows(
        conn,
        """
        WITH named AS (
          SELECT workspace_id, key FROM lightfast.entities WHERE key = %(key)s
          UNION
          SELECT a.workspace_id, e.key FROM lightfast.entity_aliases a
          JOIN lightfast.entities e ON e.id = a.entity_id WHERE a.alias = %(key)s
        )
        SELECT w.slug AS workspace, t.entity_id AS entity, t.entity_name AS name, t.state_type AS state,
               t.state_value AS value, t.state_metadata AS metadata, t.valid_from, t.valid_to,
               t.recorded_at, coalesce(i.source_username, i.source_name, i.source_id) AS changed_by,
               t.change_reason AS reason, o.external_id AS observation
        FROM named n
        JOIN lightfast.temporal_states t ON t.workspace_id = n.workspace_id AND t.entity_id = n.key
        JOIN lightfast.workspaces w ON w.id = t.workspace_id
        LEFT JOIN lightfast.actor_identities i ON i.id = t.changed_by_identity_id
        LEFT JOIN lightfast.observations o ON o.id = t.related_observation_id
        WHERE (%(workspace)s::bigint IS NULL OR t.workspace_id = %(workspace)s)
          AND t.valid_from <= %(at)s AND (t.valid_to IS NULL OR t.valid_to > %(at)s)
          AND CASE WHEN %(known)s::timestamptz IS NULL THEN t.superseded_at IS NULL
              ELSE t.recorded_at <= %(known)s AND (t.superseded_at IS NULL OR t.superseded_at > %(known)s) END
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
