"""Marks observations about deleted entities: search no longer finds them, and a trigger deletes their vectors.

Whether an entity is deleted is a state (`domain/existence.py`). The rows stay, as a record of the past.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from lightfast_pipelines.store.database import Connection

_MARK = """
WITH touched AS (
  SELECT id FROM unnest(%(written)s::bigint[]) AS w (id)
  UNION
  SELECT o.id FROM unnest(%(workspaces)s::bigint[], %(keys)s::text[]) AS k (workspace_id, key)
  JOIN lightfast.observation_facts o ON o.workspace_id = k.workspace_id AND o.subject_key = k.key
  UNION
  SELECT o.id FROM unnest(%(workspaces)s::bigint[], %(keys)s::text[]) AS k (workspace_id, key)
  JOIN lightfast.observation_facts o ON o.workspace_id = k.workspace_id AND o.part_key = k.key
  UNION
  SELECT o.id FROM unnest(%(workspaces)s::bigint[], %(keys)s::text[]) AS k (workspace_id, key)
  JOIN lightfast.observation_facts o
    ON o.workspace_id = k.workspace_id AND starts_with(k.key, 'observation:')
   AND o.source_id = substr(k.key, 13)
), judged AS (
  SELECT o.id, EXISTS (
    SELECT FROM lightfast.temporal_states t
    WHERE t.workspace_id = o.workspace_id AND t.entity_id IN (o.subject_key, o.part_key, 'observation:' || o.source_id)
      AND t.state_type = 'existence' AND t.state_value = 'deleted' AND t.is_current
  ) AS is_deleted
  FROM touched JOIN lightfast.observation_facts o USING (id)
)
UPDATE lightfast.observation_facts o SET is_deleted = j.is_deleted
FROM judged j WHERE j.id = o.id AND o.is_deleted <> j.is_deleted
"""


def mark_deleted(
    conn: Connection, written: Sequence[int], ended: Collection[tuple[int, str]]
) -> int:
    """Marks written observations, and all observations about the entities in `ended` (workspace, key).

    Returns how many changed. One that is no longer deleted waits for its vectors again.
    """
    entities = sorted(ended)
    return conn.execute(
        _MARK,
        {
            "written": list(written),
            "workspaces": [workspace for workspace, _ in entities],
            "keys": [key for _, key in entities],
        },
    ).rowcount
